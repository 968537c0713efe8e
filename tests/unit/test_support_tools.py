"""A missing tool skips on a laptop and fails in CI; a present one runs."""

from __future__ import annotations

import sys

import pytest
from support import tools


def test_a_missing_tool_skips(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="make tools"):
        tools.tool("no-such-tool")


def test_a_missing_tool_fails_in_ci(monkeypatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="make tools"):
        tools.tool("no-such-tool")


def test_a_half_installed_engine_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(tools, "TOOLS", tmp_path)
    monkeypatch.delenv("CI", raising=False)
    (tmp_path / "vllm-0.33").mkdir()
    with pytest.raises(pytest.skip.Exception, match="make oracles"):
        tools.engine_python("vllm-0.33")


def test_a_tool_runs(monkeypatch):
    monkeypatch.setattr(tools, "PLACES", str(sys.prefix) + "/bin")
    assert tools.runner("ruff")("--version").stdout.startswith("ruff ")

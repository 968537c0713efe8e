"""Fields of llm.yaml on real engines: what they compile to is served, and the smoke test asks for it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from support import tiny
from support.tools import ROOT, engine_python

from llmdeploy.cli import cli

pytestmark = [pytest.mark.boots, pytest.mark.needs("nginx")]
ON_VLLM = pytest.mark.xdist_group("vllm-serving")
ON_SGLANG = pytest.mark.xdist_group("sglang-serving")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny.make_model(tmp_path / "model")
    make = ROOT / "scripts/make_tiny_adapter.py"
    subprocess.run(
        [engine_python(tiny.ENGINE), make, tmp_path / "model", tmp_path / "sql", "--rank", "8"], check=True
    )
    return tmp_path


def asked(folder: Path, data: dict[str, Any], *engines: str) -> dict[str, str]:
    """Boot it, and return what each check directly at the engine saw; every check has passed."""
    (folder / "llm.yaml").write_text(yaml.safe_dump(data))
    bins = [word for engine in engines for word in ("--engine-bin", engine)]
    result = CliRunner(env={tiny.KEY_ENV: tiny.KEY}).invoke(
        cli,
        [
            *("smoke-test", str(folder / "llm.yaml"), "--runtime", "process", "--format", "json"),
            *("--timeout", "180", *bins),
        ],
    )
    assert result.exit_code == 0, result.output
    checks = json.loads(result.stdout)["checks"]
    return {check["check"]: check["detail"] for check in checks if check["via"] == "direct"}


@ON_VLLM
def test_vllm_serves_an_adapter_beside_its_model_and_drafts_and_reasons(folder: Path) -> None:
    data = tiny.spec(
        adapters={"sql": {"source": "./sql", "rank": 8}},
        tools={"parser": "hermes"},
        reasoning={"parser": "qwen3"},
        speculative={"method": "ngram", "tokens": 3},
    )
    found = asked(folder, data, f"vllm={tiny.engine_bin()}")
    assert found["adapter sql"] == found["chat"] == "8 tokens"
    assert "schema" in found


@ON_VLLM
def test_vllm_embeds(folder: Path) -> None:
    found = asked(folder, tiny.spec(task="embed"), f"vllm={tiny.engine_bin()}")
    assert found["embed"] == "128 dimensions"
    assert not {"chat", "stream", "schema"} & found.keys()


@ON_SGLANG
def test_sglang_embeds(folder: Path) -> None:
    found = asked(folder, tiny.sglang(task="embed"), f"sglang={tiny.engine_bin(tiny.SGLANG)}")
    assert found["embed"] == "128 dimensions"

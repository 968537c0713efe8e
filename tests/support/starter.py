"""`llmdeploy init` as a user calls it, and what it writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import yaml
from click.testing import CliRunner, Result

from llmdeploy.cli import cli
from llmdeploy.compiler import compile
from llmdeploy.diagnostics import Severity

Tool = Callable[..., None]


def init(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["init", *arguments])


def written(*arguments: str) -> str:
    result = init(*arguments, "-o", "-")
    assert result.exit_code == 0, result.output
    return result.stdout


def data(*arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(written(*arguments))
    return document


def findings(text: str) -> list[str]:
    return [d.message for d in compile(text).diagnostics if d.severity is not Severity.NOTE]

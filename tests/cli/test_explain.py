"""`llmdeploy explain`."""

from __future__ import annotations

import pytest
from click.testing import CliRunner, Result

from llmdeploy.cli import cli
from llmdeploy.diagnostics.codes import CODES
from llmdeploy.diagnostics.pages import page


def explain(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["explain", *arguments])


@pytest.mark.parametrize("code", CODES)
def test_it_prints_the_page_as_it_is(code: str) -> None:
    result = explain(code)
    assert result.exit_code == 0
    assert result.stdout == page(code)
    assert result.stdout.startswith(f"# {code}: ")


def test_case_does_not_matter() -> None:
    assert explain("ld302").stdout == explain("LD302").stdout


@pytest.mark.parametrize("code", ["LD999", "302", "", "../codes"])
def test_an_unknown_code_is_a_usage_error_that_says_what_codes_look_like(code: str) -> None:
    result = explain(code)
    assert result.exit_code == 2
    assert f"there is no code {code}" in result.output
    assert "LD001 to LD902, like LD302" in result.output


def test_without_a_code_it_says_what_is_missing() -> None:
    result = explain()
    assert result.exit_code == 2
    assert "Missing argument 'CODE'" in result.output

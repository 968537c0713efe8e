"""`# llmdeploy: allow LD501` silences that warning on its own line, and says so where it does not."""

from __future__ import annotations

import pytest

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.diagnostics.waivers import apply
from llmdeploy.source import read

ALLOW = "# llmdeploy: allow"


def left(text: str, *diagnostics: Diagnostic, complete: bool = True) -> list[str]:
    source, problems = read(text)
    assert not problems
    return [d.code for d in apply(diagnostics, source, complete)]


def warning(*path: str, code: str = "LD501") -> Diagnostic:
    return Diagnostic(code, "so", path)


@pytest.mark.parametrize(
    "comment",
    [
        f"{ALLOW} LD501",
        f"{ALLOW} LD501, LD503",
        f"{ALLOW} LD503 LD501",
        f"{ALLOW} LD501 -- only for tests",
        f"{ALLOW} LD501 because nobody calls it",
        "#llmdeploy:allow LD501",
    ],
)
def test_a_waiver_silences_its_warning(comment: str) -> None:
    found = [warning("models", "a"), warning("models", "a", code="LD503")]
    assert "LD501" not in left(f"models:\n  a: {comment}\n    x: 1\n", *found)


def test_it_speaks_for_its_own_line_only() -> None:
    text = f"models:\n  a: {{}} {ALLOW} LD501\n  b: {{}}\n"
    assert left(text, warning("models", "a"), warning("models", "b")) == ["LD501"]


def test_an_error_cannot_be_waived() -> None:
    text = f"models: {{}} {ALLOW} LD303\n"
    assert left(text, warning("models", code="LD303")) == ["LD303", "LD511"]


@pytest.mark.parametrize(
    "comment",
    [f"{ALLOW} LD501", f"{ALLOW} LD999", f"{ALLOW} LD407", ALLOW, f"{ALLOW} all", "# llmdeploy: alow LD501"],
)
def test_a_waiver_of_no_use_is_reported(comment: str) -> None:
    assert left(f"a: 1 {comment}\n") == ["LD511"]


def test_a_waiver_is_not_called_unused_before_everything_was_checked() -> None:
    text = f"a: 1 {ALLOW} LD501\n"
    assert left(text, complete=False) == []
    assert left(text, warning("a", code="LD303")) == ["LD303"]


@pytest.mark.parametrize(
    "text",
    [
        f'a: "x {ALLOW} LD501"\n',
        f"a: 'x {ALLOW} LD501'\n",
        f"a: |\n  {ALLOW} LD501\n",
    ],
)
def test_text_that_only_looks_like_a_waiver_is_text(text: str) -> None:
    assert left(text, warning("a")) == ["LD501"]


def test_a_waiver_of_no_use_is_located_at_its_comment() -> None:
    source, _ = read(f"a: 1\nb: 2 {ALLOW} LD501\n")
    [problem] = apply([], source)
    assert (problem.line, problem.column) == (2, 6)

"""`upgrade` and `migrate` on whole files: what they say, and what they make of the file.

The first line of each llm.yaml is the command. report.txt is what it prints, after.yaml what --write leaves.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from llmdeploy.cli import cli
from llmdeploy.compiler import compile
from llmdeploy.diagnostics import Severity
from llmdeploy.source import read

CASES = sorted(path.parent for path in Path(__file__).parent.glob("*/*/llm.yaml"))
KEYS = {
    *("rewrites", "left_open", "cannot_edit", "lost_comments", "running", "files", "diff"),
    *("written", "diagnostics"),
}
GoldenText = Callable[[Path, str], None]


@pytest.fixture(params=CASES, ids=lambda case: f"{case.parent.name}/{case.name}")
def case(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A case, whose file lies in the working directory, too."""
    folder: Path = request.param
    (tmp_path / "llm.yaml").write_bytes((folder / "llm.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    return folder


def run(case: Path, *more: str) -> tuple[int, str]:
    command = (case / "llm.yaml").read_text(encoding="utf-8").splitlines()[0]
    arguments = command.removeprefix("# llmdeploy ").split()
    result = CliRunner().invoke(cli, [*arguments, *more])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_it_says_what_changes_and_changes_nothing(case: Path, golden_text: GoldenText) -> None:
    status, said = run(case)
    golden_text(case / "report.txt", f"{said}exit status {status}\n")
    assert Path("llm.yaml").read_bytes() == (case / "llm.yaml").read_bytes()


def test_write_edits_the_file_and_keeps_the_comments_of_what_stays(
    case: Path, golden_text: GoldenText
) -> None:
    status, said = run(case, "--write")
    after = Path("llm.yaml").read_text(encoding="utf-8")
    golden_text(case / "after.yaml", after)
    errors = [d for d in compile(after).diagnostics if d.severity is Severity.ERROR]
    assert (status == 0) == (not errors)
    assert all(f"error[{error.code}]: {error.message}" in said for error in errors)
    kept = [comment.text for comment in read(after)[0].comments]
    before = read((case / "llm.yaml").read_text(encoding="utf-8"))[0].comments
    gone = [c for c in before if c.text not in kept and "llmdeploy: allow" not in c.text]
    told = said.partition("comments that go with their entries\n")[2].partition("\n\n")[0].splitlines()
    assert [f"  line {c.line}: {c.text}" for c in gone] == told


def test_what_it_left_has_nothing_more_to_change(case: Path) -> None:
    """Once written, a second run edits nothing: `migrate` has arrived, `upgrade` is there."""
    run(case, "--write")
    after = Path("llm.yaml").read_bytes()
    run(case, "--write")
    assert Path("llm.yaml").read_bytes() == after


def test_json_is_the_same_document_in_every_case(case: Path) -> None:
    status, said = run(case, "--format", "json")
    document = json.loads(said)
    assert document.keys() == KEYS
    assert document["cannot_edit"] or document["rewrites"]
    assert status == 0 or document["diagnostics"] or document["cannot_edit"]

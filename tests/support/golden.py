"""Golden folders: what the compiler emitted when somebody last looked and agreed."""

from __future__ import annotations

import difflib
import shutil
from collections.abc import Mapping
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


def read(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def difference(expected: Mapping[str, str], actual: Mapping[str, str]) -> str:
    """A unified diff of two folders; empty when they are the same."""
    return "".join(
        # A missing final newline would glue two lines of the diff together.
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for path in sorted({*expected, *actual})
        for line in difflib.unified_diff(
            expected.get(path, "").splitlines(keepends=True),
            actual.get(path, "").splitlines(keepends=True),
            f"golden/{path}" if path in expected else "/dev/null",
            f"emitted/{path}" if path in actual else "/dev/null",
        )
    )


def check(folder: Path, actual: Mapping[str, str], *, update: bool) -> None:
    """Assert that `folder` holds exactly `actual`, {path: text}; with `update`, make it so."""
    if update:
        shutil.rmtree(folder, ignore_errors=True)
        for path, text in actual.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8", newline="")
        return
    expected = read(folder) if folder.is_dir() else {}
    same = expected == dict(actual)
    assert same, f"{difference(expected, actual)}\nif this is meant: make goldens, and review the diff"


def check_text(path: Path, actual: str, *, update: bool) -> None:
    """Assert that the file holds exactly `actual`; with `update`, make it so."""
    if update:
        path.write_text(actual, encoding="utf-8", newline="")
    expected = path.read_bytes().decode() if path.is_file() else ""
    same = expected == actual
    assert same, (
        f"{difference({path.name: expected}, {path.name: actual})}\nif this is meant: make goldens, and review the diff"
    )

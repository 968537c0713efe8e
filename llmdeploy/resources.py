"""Finds the top-level data folders: beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent


@cache
def root() -> Path:
    """Return the directory that has `templates/`, `schemas/` and `examples/`."""
    # Editable installs get none of the wheel's force-included folders, so a checkout is looked for second.
    inside = _PACKAGE / "_data"
    return inside if inside.is_dir() else _PACKAGE.parent


@cache
def read_text(path: str) -> str:
    """Return the text of a data file, such as `schemas/llm.schema.json`."""
    return (root() / path).read_text(encoding="utf-8")

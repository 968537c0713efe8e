"""JSON files that should hold a mapping, and may hold anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError):
        return None


def mapping(path: Path) -> dict[str, Any]:
    """Return the mapping, and {} for a file that is not there or holds something else."""
    return as_mapping(text(path) or "")


def as_mapping(content: str) -> dict[str, Any]:
    try:
        read: Any = json.loads(content or "null")
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}

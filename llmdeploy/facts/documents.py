"""JSON files beside the weights, and why one of them says nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field


class Document(Struct, frozen=True):
    """What a file states; nothing where a `fault`, the end of a sentence about the file, stands in the way."""

    content: Mapping[str, Any] = field(default_factory=dict)
    fault: str | None = None


ABSENT = "is not there"
_KINDS = {list: "a list", str: "text", bool: "a boolean", type(None): "`null`"}


def document(path: Path) -> Document:
    """Read the JSON object in a file. Never raises."""
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Document(fault=ABSENT)
    except OSError as error:
        return Document(fault=f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        return Document(fault=f"is not UTF-8 at byte {error.start}")
    except json.JSONDecodeError as error:
        return Document(fault=f"is not JSON (line {error.lineno}, column {error.colno}: {error.msg})")
    except (ValueError, RecursionError):
        return Document(fault="nests too deep to be read, or has a number of too many digits")
    if not isinstance(content, dict):
        return Document(fault=f"holds {_KINDS.get(type(content), 'a number')} instead of an object")
    return Document(content)


def text(path: Path) -> str | None:
    """Return the text of a file, None where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError):
        return None


def as_mapping(content: str) -> dict[str, Any]:
    """Return the JSON object in a text, and {} for anything else."""
    try:
        read: Any = json.loads(content or "null")
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}

"""The only shell quoting."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")


def quote(word: str) -> str:
    """Return `word` as one word of bash or POSIX sh, whatever it contains."""
    return word if _SAFE.fullmatch(word) else shlex.quote(word)


def quote_home(path: str) -> str:
    """Like `quote`, with a leading `~/` left to the shell that runs the script."""
    if path == "~":
        return '"$HOME"'
    return f'"$HOME"/{quote(path[2:])}' if path.startswith("~/") else quote(path)


def join(words: Iterable[str]) -> str:
    return " ".join(quote(word) for word in words)

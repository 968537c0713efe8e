"""What an engine's log says of its end: the one line that a person needs."""

from __future__ import annotations

import re
from pathlib import Path

_TAIL = 65536
# A line that names an error as Python or argparse do; the frames of a traceback are indented.
_REASON = re.compile(r"(?:^|\s)((?:[\w.]*(?:Error|Exception)|error): \S.*)")
# vLLM's last error only points at the one that its worker wrote before.
_ABOVE = "See root cause above"


def tail(log: Path) -> str:
    """Return the end of a log file."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL))
        return file.read().decode("utf-8", "replace")


def reason(text: str) -> str:
    """Return the last error that a log names, else its last line."""
    named = [found[1] for line in lines(text) if (found := _REASON.search(line)) and _ABOVE not in line]
    return named[-1] if named else last_line(text)


def last_line(text: str) -> str:
    found = lines(text)
    return found[-1] if found else "no log yet"


def lines(text: str) -> list[str]:
    """Return the lines of a log that say something, without control characters."""
    cleaned = (re.sub(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f]", "", line).strip() for line in text.splitlines())
    return [line for line in cleaned if line]

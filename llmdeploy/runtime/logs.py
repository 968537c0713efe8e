"""What an engine's log says of its end: the one line that a person needs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from llmdeploy.diagnostics.redact import MASK

_TAIL = 65536
_LIMIT = 300
# An error as Python or argparse name it, behind whatever the log begins each of its lines with. The first line of
# pydantic's only counts: the indented one below says what is wrong, perhaps after one with the name of the field,
# and before the input that it quotes.
_ERROR = re.compile(
    r"""^(?P<start>.*?)(?<!\S)(?:[\w.]+\.)?(?P<error>(?:\w*(?:Error|Exception)|error|Error\ response\ from\ daemon):\ \S.*)
    (?:\n(?:(?P=start)(?P<field>\S+)\n)?(?P=start)\ +(?P<more>\S.*?)(?:\ \[type=.*)?$)?""",
    re.MULTILINE | re.VERBOSE,
)
# An error without a message, at the end of a traceback: the statement above it says more. Looking for that takes
# too long in a line without end, hence the 200.
_BARE = re.compile(
    r"""^(?P<start>.{0,200}?)\ {4}(?P<statement>\S.*)\n
    (?:(?P=start)\ +[~^]+\n)?
    (?P=start)(?P<error>[\w.]*(?:Error|Exception))$""",
    re.MULTILINE | re.VERBOSE,
)
# The processes of vLLM that wait for the one that failed end with errors that only point at it.
_ELSEWHERE = "root cause"


def tail(log: Path) -> str:
    """Return the end of a log file."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL))
        return file.read().decode("utf-8", "replace")


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return the text without these values: some engines write their API key to their log."""
    values = {each for value in secrets if value for each in _spellings(value)}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


def _spellings(value: str) -> tuple[str, ...]:
    """Return a text as it is, and as Python and JSON write it between their quotes."""
    return value, repr(value)[1:-1], json.dumps(value)[1:-1]


def reason(text: str) -> str:
    """Return the last error that a log names, else its last line."""
    whole = _BARE.sub(r"\g<start>\g<error>: \g<statement>", "\n".join(_printable(text)))
    named = [found for found in _ERROR.finditer(whole) if _ELSEWHERE not in found["error"]]
    if not named:
        return last_line(text)
    return _short(": ".join(part for part in named[-1].group("error", "field", "more") if part))


def last_line(text: str) -> str:
    found = lines(text)
    return _short(found[-1]) if found else "no log yet"


def lines(text: str) -> list[str]:
    """Return the lines of a log that say something, without control characters."""
    return [stripped for line in _printable(text) if (stripped := line.strip())]


def _printable(text: str) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m|[\x00-\x08\x0b-\x1f]", "", line).rstrip() for line in text.splitlines()]


def _short(line: str) -> str:
    """Some messages list all that would have been right."""
    return line if len(line) <= _LIMIT else f"{line[: _LIMIT - 1].rstrip()}…"

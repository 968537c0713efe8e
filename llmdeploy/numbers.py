"""Plain scalars by YAML 1.2's core schema: `yes` is text, `0o17` is 15, `12e5` knows how it was written."""

from __future__ import annotations

import re
from typing import Any, Self

LONGEST = 300  # characters; Python refuses to convert integers of some thousand digits

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)


class PlainNumber:
    """A number with its text as written, for the fields that want text."""

    text: str


class PlainInt(int, PlainNumber):
    def __new__(cls, value: int, text: str = "") -> Self:
        self = super().__new__(cls, value)
        self.text = text or str(value)
        return self


class PlainFloat(float, PlainNumber):
    def __new__(cls, value: float, text: str = "") -> Self:
        self = super().__new__(cls, value)
        self.text = text or str(value)
        return self


def plain_scalar(text: str) -> Any:
    """Return the value of an unquoted scalar. Raises ValueError for a number of absurd length."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.fullmatch(text):
        return PlainInt(_integer(text), text)
    if _FLOAT.fullmatch(text):
        return PlainFloat(float(text.lower().replace(".inf", "inf").replace(".nan", "nan")), text)
    return text


def _integer(text: str) -> int:
    if len(text) > LONGEST:
        raise ValueError("too long")
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text, base)

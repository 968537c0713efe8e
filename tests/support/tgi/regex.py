"""A text that a regular expression matches: the shortest, and the first of what it may be."""

from __future__ import annotations

import re
from collections.abc import Iterable
from re import _constants as op  # type: ignore[attr-defined]  # the parser has no public name
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

# A letter where it may be one: a control character would be right as well, and useless.
_FIRST = [ord(each) for each in "a0 _-.A"] + list(range(33, 127))
_CLASSES = {op.CATEGORY_DIGIT: "0", op.CATEGORY_WORD: "a", op.CATEGORY_SPACE: " "}


class Unknown(Exception):  # noqa: N818  said to the client
    """The stand-in makes no text for this. TGI might."""


def matching(pattern: str) -> str:
    """Return a text. Raises re.error for what is no regular expression, Unknown for what is not understood."""
    text = "".join(_all(parser.parse(pattern)))
    if not re.fullmatch(pattern, text):
        raise Unknown(f"no text is made for the regular expression {pattern!r}")
    return text


def _all(nodes: Iterable[tuple[Any, Any]]) -> Iterable[str]:
    for kind, value in nodes:
        yield _one(kind, value)


def _one(kind: Any, value: Any) -> str:
    if kind is op.LITERAL:
        return chr(value)
    if kind is op.ANY:
        return "a"
    if kind in (op.IN, op.NOT_LITERAL):
        return _member([(kind, value)] if kind is op.NOT_LITERAL else value)
    if kind is op.CATEGORY:
        return _member([(kind, value)])
    if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        least, _, inner = value
        return "".join(_all(inner)) * int(least)
    if kind is op.SUBPATTERN:
        return "".join(_all(value[-1]))
    if kind is op.BRANCH:
        return "".join(_all(value[1][0]))
    if kind is op.AT:
        return ""
    raise Unknown(f"{str(kind).lower()} is not understood in a regular expression")


def _member(items: list[tuple[Any, Any]]) -> str:
    """Return a character of a class."""
    if items[0][0] is not op.NEGATE and len(items) == 1:
        kind, value = items[0]
        if kind is op.LITERAL:
            return chr(value)
        if kind is op.RANGE:
            return chr(value[0])
        if kind is op.CATEGORY and value in _CLASSES:
            return _CLASSES[value]
    for code in _FIRST:
        if _contains(items, code):
            return chr(code)
    return next((chr(value[0]) for kind, value in items if kind is op.RANGE), "a")


def _contains(items: list[tuple[Any, Any]], code: int) -> bool:
    negated = items[0][0] is op.NEGATE
    return negated != any(_is(kind, value, code) for kind, value in items if kind is not op.NEGATE)


def _is(kind: Any, value: Any, code: int) -> bool:
    if kind is op.LITERAL:
        return bool(code == value)
    if kind is op.NOT_LITERAL:
        return bool(code != value)
    if kind is op.RANGE:
        return bool(value[0] <= code <= value[1])
    negated = str(value).startswith("CATEGORY_NOT_")
    name = str(value).removeprefix("CATEGORY_NOT_").removeprefix("CATEGORY_")
    known = {"DIGIT": str.isdigit, "SPACE": str.isspace}.get(name, lambda text: text.isalnum() or text == "_")
    return negated != known(chr(code))

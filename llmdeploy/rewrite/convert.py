"""A value of one engine's, as another engine writes it."""

from __future__ import annotations

from typing import Any

from llmdeploy.catalog.meanings import Spelling
from llmdeploy.numbers import PlainNumber, plain_scalar


class NoCounterpart(Exception):  # noqa: N818  the reason is for the user
    """This value cannot be said by the other engine."""


def converted(value: Any, before: Spelling, after: Spelling) -> Any:
    """Return the value in the other engine's words. Raises NoCounterpart."""
    if before.by_hand is not None or after.by_hand is not None:
        name = after.name.removeprefix("--")
        raise NoCounterpart(after.by_hand or f"`{name}` says it, in words of its own")
    return _said(_meant(value, before), after)


def plain(value: Any) -> Any:
    """Return what a text among `env` is: a number or a boolean where it looks like one."""
    return plain_scalar(value) if isinstance(value, str) and value else value


def text_of(value: Any) -> str:
    if isinstance(value, PlainNumber):
        return value.text
    return str(value).lower() if isinstance(value, bool) else str(value)


def _meant(value: Any, spelling: Spelling) -> Any:
    if spelling.values:
        word = text_of(value).lower()
        meant = next((each for each, own in spelling.values.items() if own.lower() == word), None)
        if meant is None:
            raise NoCounterpart(f"of `{text_of(value)}` no counterpart is known")
        return plain_scalar(meant)
    if spelling.form == "comma" and not isinstance(value, list):
        return [plain(one.strip()) for one in text_of(value).split(",")]
    if spelling.opposite and isinstance(value, bool):
        return not value
    if _is_number(value) and (spelling.plus or spelling.times != 1):
        return (value - spelling.plus) / spelling.times
    return value


def _said(meant: Any, spelling: Spelling) -> Any:
    if spelling.values:
        word = spelling.values.get(text_of(meant))
        if word is None:
            raise NoCounterpart(f"it has no `{text_of(meant)}`")
        return plain_scalar(word)
    if spelling.form == "comma" and isinstance(meant, list):
        return ",".join(map(text_of, meant))
    if spelling.opposite and isinstance(meant, bool):
        return not meant
    if _is_number(meant):
        number = meant * spelling.times + spelling.plus if spelling.plus or spelling.times != 1 else meant
        return int(number) if isinstance(number, float) and number.is_integer() else number
    return meant


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

"""Command line and environment to arguments, as clap 4.5 does it with `#[clap(long, env)]`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from types import SimpleNamespace
from typing import Any

from support.tgi.flags import FLAGS, SHORT, Flag, Invalid

NAME = "text-generation-launcher"
_BY_LONG = {flag.long: flag for flag in FLAGS.values()}


class Refused(Exception):  # noqa: N818  what clap does before it exits with 2
    """The text is the whole message."""

    def __init__(self, message: str, *, tip: str = "", usage: bool = False) -> None:
        parts = [f"error: {message}"]
        parts += [f"  tip: {tip}"] if tip else []
        parts += [f"Usage: {NAME} [OPTIONS]"] if usage else []
        super().__init__("\n\n".join([*parts, "For more information, try '--help'."]))


class Asked(Exception):  # noqa: N818  not an error: --help, --version
    """Nothing is run; the text answers."""


def parse(argv: Sequence[str], environ: Mapping[str, str]) -> SimpleNamespace:
    """Return every field of `struct Args`. A variable is read only where its flag is not given."""
    found: dict[str, Any] = {}
    for flag, texts in _given(argv):
        if flag.name in found and not flag.many:
            raise Refused(f"the argument '{flag}' cannot be used multiple times", usage=True)
        value = _value(flag, texts)
        found[flag.name] = [*found.get(flag.name, []), *value] if flag.many else value
    for flag in FLAGS.values():
        if flag.name not in found and flag.variable and flag.variable in environ:
            found[flag.name] = _value(flag, [environ[flag.variable]])
    return SimpleNamespace(**{flag.name: found.get(flag.name, _default(flag)) for flag in FLAGS.values()})


def _given(argv: Sequence[str]) -> Iterable[tuple[Flag, list[str]]]:
    """Yield each flag of the command line with its values as text."""
    words = iter(argv)
    ahead = next(words, None)
    while (word := ahead) is not None:
        ahead = next(words, None)
        flag, value = _named(word)
        if flag.switch:
            if value is not None:
                message = f"unexpected value '{value}' for '{flag}' found; no more were expected"
                raise Refused(message, usage=True)
            yield flag, []
            continue
        if value is None and ahead is not None and (ahead == "-" or not ahead.startswith("-")):
            value, ahead = ahead, next(words, None)
        if value is None:
            raise Refused(f"a value is required for '{flag}' but none was supplied" + _listed(flag.possible))
        yield flag, [value]


def _named(word: str) -> tuple[Flag, str | None]:
    """Return the flag that a word names, and the value that it has in itself."""
    name, equals, value = word.partition("=")
    if name in ("-h", "--help"):
        raise Asked(f"Text Generation Launcher\n\nUsage: {NAME} [OPTIONS]")
    if name in ("-V", "--version"):
        raise Asked(f"{NAME} 3.3.6-dev0")
    if name in _BY_LONG:
        return _BY_LONG[name], value if equals else None
    if word[:2] in SHORT:
        return FLAGS[SHORT[word[:2]]], word[2:].removeprefix("=") or None
    near = get_close_matches(name, _BY_LONG, 1, 0.8) if name.startswith("--") else []
    tip = f"a similar argument exists: '{near[0]}'" if near else ""
    raise Refused(f"unexpected argument '{name}' found", tip=tip, usage=True)


def _value(flag: Flag, texts: list[str]) -> Any:
    if not texts:
        return True
    if flag.delimiter:
        texts = [part for text in texts for part in text.split(flag.delimiter)]
    values = [_parsed(flag, text) for text in texts]
    return values if flag.many else values[0]


def _parsed(flag: Flag, text: str) -> Any:
    try:
        return flag.parse(text)
    except Invalid as invalid:
        if not invalid.possible:
            raise Refused(f"invalid value '{text}' for '{flag}': {invalid}") from None
        message = (
            f"invalid value '{text}' for '{flag}'"
            if text
            else f"a value is required for '{flag}' but none was supplied"
        )
        near = get_close_matches(text, invalid.possible, 1, 0.7)
        tip = f"a similar value exists: '{near[0]}'" if near else ""
        raise Refused(message + _listed(invalid.possible), tip=tip) from None


def _listed(possible: Sequence[str]) -> str:
    return f"\n  [possible values: {', '.join(possible)}]" if possible else ""


def _default(flag: Flag) -> Any:
    if flag.default is not None:
        return flag.parse(flag.default)
    if flag.optional:
        return None
    return [] if flag.many else False

"""JSON to values as Rust's serde reads it: types are not converted, unknown fields are not seen.

A kind is a function from a value and its path to the value that is meant. It raises DataError.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

Kind = Callable[[Any, str], Any]
_REQUIRED = object()


class DataError(Exception):
    """JSON, but not what was asked for (422). Raised with serde's text."""

    def __init__(self, text: str, path: str = "") -> None:
        super().__init__(f"{path}: {text}" if path else text)


class SyntaxFault(Exception):  # noqa: N818  named beside DataError
    """No JSON at all (400)."""


@dataclass(frozen=True, slots=True)
class Field:
    kind: Kind
    default: Any = _REQUIRED
    alias: str | None = None


def read(body: bytes, kind: Kind) -> Any:
    """Return what a body says. The column in a message is where the body ends, which is right for a
    field that is missing and a guess for everything else.
    """
    try:
        document = json.loads(body.decode(), parse_constant=_no_constant)
        # Python reads half of a surrogate pair, which is no text; Rust does not.
        json.dumps(document, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise SyntaxFault(_syntax(body, error)) from None
    try:
        return kind(document, "")
    except DataError as error:
        lines = body.decode().rstrip().split("\n")
        raise DataError(f"{error} at line {len(lines)} column {len(lines[-1].encode())}") from None


def struct(name: str, /, **fields: Field) -> Kind:
    def parse(value: Any, path: str) -> SimpleNamespace:
        if not isinstance(value, dict):
            raise _wrong(value, f"struct {name}", path)
        found = {}
        for key, each in fields.items():
            names = [given for given in (key, each.alias) if given in value]
            if len(names) > 1:
                raise DataError(f"duplicate field `{key}`", path)
            if names:
                found[key] = each.kind(value[names[0]], f"{path}.{names[0]}".lstrip("."))
            elif each.default is _REQUIRED:
                raise DataError(f"missing field `{key}`", path)
            else:
                found[key] = each.default() if callable(each.default) else each.default
        return SimpleNamespace(**found)

    return parse


def option(kind: Kind) -> Field:
    """A field that may be missing or null."""
    return Field(lambda value, path: None if value is None else kind(value, path), None)


def sequence(kind: Kind) -> Kind:
    def parse(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong(value, "a sequence", path)
        return [kind(each, f"{path}[{index}]") for index, each in enumerate(value)]

    return parse


def untagged(name: str, *kinds: Kind) -> Kind:
    """The first kind that fits."""

    def parse(value: Any, path: str) -> Any:
        for kind in kinds:
            try:
                return kind(value, path)
            except DataError:
                continue
        raise DataError(f"data did not match any variant of untagged enum {name}", path)

    return parse


def anything(value: Any, path: str) -> Any:
    return value


def string(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise _wrong(value, "a string", path)
    return value


def boolean(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(value, "a boolean", path)
    return value


def number(value: Any, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(value, "f32", path)
    return float(value)


def integer(kind: str) -> Kind:
    bits = 64 if kind == "usize" else int(kind[1:])
    low, high = (-(1 << bits - 1), 1 << bits - 1) if kind[0] == "i" else (0, 1 << bits)

    def parse(value: Any, path: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong(value, kind, path)
        if not low <= value < high:
            raise DataError(f"invalid value: integer `{value}`, expected {kind}", path)
        return value

    return parse


def _wrong(value: Any, expected: str, path: str) -> DataError:
    match value:
        case None:
            given = "null"
        case bool():
            given = f"boolean `{str(value).lower()}`"
        case int():
            given = f"integer `{value}`"
        case float():
            given = f"floating point `{value}`"
        case str():
            given = f"string {json.dumps(value, ensure_ascii=False)}"
        case list():
            given = "sequence"
        case _:
            given = "map"
    return DataError(f"invalid type: {given}, expected {expected}", path)


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _syntax(body: bytes, error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError) and body.strip():
        return f"expected value at line {error.lineno} column {error.colno}"
    return "EOF while parsing a value at line 1 column 0" if not body.strip() else "expected value"

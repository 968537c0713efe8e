"""Edits as splices of the text. Block mappings are edited by lines, those in braces as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from llmdeploy.diagnostics import Path
from llmdeploy.emit.yaml import inline
from llmdeploy.rewrite.edits import AS_WRITTEN, Edit, Put, Remove, Rename
from llmdeploy.rewrite.flow import braced
from llmdeploy.rewrite.places import BREAK, Places
from llmdeploy.source import Source

_WIDE = 100
"""Columns; a new mapping that needs more gets a line for each entry."""


class _Splice(NamedTuple):
    start: int
    end: int
    text: str


def spliced(source: Source, edits: Sequence[Edit]) -> str:
    """Return the text with the edits made. That it says what was meant is for the caller to see."""
    places, text = Places(source), source.text
    for splice in sorted(_mapping((), {edit.path: edit for edit in edits}, places), reverse=True):
        text = text[: splice.start] + splice.text + text[splice.end :]
    return text


def _mapping(path: Path, edits: Mapping[Path, Edit], places: Places) -> Iterator[_Splice]:
    if not any(len(edit) > len(path) and edit[: len(path)] == path for edit in edits):
        return
    if places.is_flow(path):
        yield _Splice(*places.value(path), braced(path, edits, places))
        return
    yield from _new(path, edits, places)
    for key in places.keys(path):
        yield from _entry((*path, key), edits, places)


def _entry(path: Path, edits: Mapping[Path, Edit], places: Places) -> Iterator[_Splice]:
    match edits.get(path):
        case Remove():
            yield _lines(path, "", places)
        case Rename(name=name, value=value):
            yield _Splice(*places.key(path), places.spelled(path, name))
            if value is not AS_WRITTEN:
                yield _value(path, value, places)
        case Put(value=value) if places.keys(path) and not places.is_flow(path):
            yield _lines(path, _line(path, value, places), places)
        case Put(value=value):
            yield _value(path, value, places)
        case _ if places.keys(path):
            yield from _mapping(path, edits, places)


def _value(path: Path, value: object, places: Places) -> _Splice:
    return _Splice(*places.value(path), places.scalar(path, value))


def _lines(path: Path, text: str, places: Places) -> _Splice:
    """Put something else where the lines of an entry are; their comments stay."""
    first, last = places.lines(path)
    comments = (found.text.rstrip() for found in places.source.comments if first <= found.line <= last)
    kept = "".join(places.indent(path) + comment + places.newline for comment in comments)
    return _Splice(places.line(first), places.line(last + 1), text + kept)


def _new(path: Path, edits: Mapping[Path, Edit], places: Places) -> Iterator[_Splice]:
    """Put each new entry behind the one that it wants to follow."""
    keys = places.keys(path)
    behind: dict[str, str] = {}
    for edit in edits.values():
        if isinstance(edit, Put) and edit.path[:-1] == path and edit.path[-1] not in keys:
            after = next((key for key in edit.after if key in keys), keys[-1])
            behind[after] = behind.get(after, "") + _line((*path, edit.path[-1]), edit.value, places)
    for after, text in behind.items():
        at = places.line(places.lines((*path, after))[1] + 1)
        on_a_new_line = at == len(places.text) and not BREAK.fullmatch(places.text[-1:])
        yield _Splice(at, at, places.newline + text.removesuffix(places.newline) if on_a_new_line else text)


def _line(path: Path, value: object, places: Places) -> str:
    key = places.spelled(path, str(path[-1]))
    indent = places.indent((*path[:-1], places.keys(path[:-1])[0]))
    line = indent + key + inline("x", value).removeprefix("x")
    if isinstance(value, dict) and len(line) > _WIDE:
        rows = [f"{indent}{key}:", *(f"{indent}  {inline(*item)}" for item in value.items())]
        return "".join(row + places.newline for row in rows)
    return line + places.newline

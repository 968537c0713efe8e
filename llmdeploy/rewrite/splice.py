"""Edits as splices of the text. Block mappings are edited by lines, those in braces as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from llmdeploy.diagnostics import Path
from llmdeploy.emit.yaml import inline
from llmdeploy.rewrite import comments
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
    splices = sorted(_mapping((), {edit.path: edit for edit in edits}, places), key=lambda each: each[:2])
    for splice in reversed(splices):  # of two at one place, the first stands before the other
        text = text[: splice.start] + splice.text + text[splice.end :]
    return text


def _mapping(path: Path, edits: Mapping[Path, Edit], places: Places) -> Iterator[_Splice]:
    if not any(len(edit) > len(path) and edit[: len(path)] == path for edit in edits):
        return
    if places.is_flow(path):
        yield from _above_braces(path, edits, places)
        yield _Splice(*places.value(path), braced(path, edits, places))
        return
    new = _new(path, edits, places)
    for key in places.keys(path):
        yield from _entry((*path, key), edits, places)
        if key in new:  # behind what is new inside the entry, above the comments of the next
            yield _behind((*path, key), new[key], places)


def _entry(path: Path, edits: Mapping[Path, Edit], places: Places) -> Iterator[_Splice]:
    match edits.get(path):
        case Remove():
            yield _removed(path, places)
        case Rename(name=name, value=value):
            yield _Splice(*places.key(path), places.spelled(path, name))
            if value is not AS_WRITTEN:
                yield _value(path, value, places)
        case Put(value=value) if places.keys(path) and not places.is_flow(path):
            yield _replaced(path, _line(path, value, places), places)
        case Put(value=value):
            yield _value(path, value, places)
        case _ if places.keys(path):
            yield from _mapping(path, edits, places)


def _value(path: Path, value: object, places: Places) -> _Splice:
    return _Splice(*places.value(path), places.scalar(path, value))


def _removed(path: Path, places: Places) -> _Splice:
    """Take out the lines of an entry, and the comments that speak of it."""
    first, last = places.lines(path)
    going = comments.spoken(places, path)
    kept = [each for each in places.source.comments if first <= each.line <= last and each not in going]
    start = min(first, *(comment.line for comment in going)) if going else first
    text = comments.as_lines(kept, places.indent(path), places.newline)
    return _Splice(places.line(start), places.line(last + 1), text)


def _replaced(path: Path, text: str, places: Places) -> _Splice:
    """Put a line where the lines of an entry are, below their comments."""
    first, last = places.lines(path)
    kept = [each for each in places.source.comments if first <= each.line <= last]
    above = comments.as_lines(kept, places.indent(path), places.newline)
    return _Splice(places.line(first), places.line(last + 1), above + text)


def _above_braces(path: Path, edits: Mapping[Path, Edit], places: Places) -> Iterator[_Splice]:
    """Put the comments of what moves into braces above them: inside, there is no line for a comment."""
    new = [edit for edit in edits.values() if isinstance(edit, Put) and edit.path[:-1] == path]
    moved = [comment for edit in new for comment in comments.moved(places, edit)]
    if moved:
        at = places.line(places.lines(path)[0])
        yield _Splice(at, at, comments.as_lines(moved, places.indent(path), places.newline))


def _new(path: Path, edits: Mapping[Path, Edit], places: Places) -> dict[str, str]:
    """Return the lines of the new entries, by the entry that they follow."""
    keys = places.keys(path)
    behind: dict[str, str] = {}
    for edit in edits.values():
        if isinstance(edit, Put) and edit.path[:-1] == path and edit.path[-1] not in keys:
            after = next((key for key in edit.after if key in keys), keys[-1])
            behind[after] = behind.get(after, "") + _with_comments(edit, places)
    return behind


def _behind(path: Path, text: str, places: Places) -> _Splice:
    at = places.line(places.lines(path)[1] + 1)
    on_a_new_line = at == len(places.text) and not BREAK.fullmatch(places.text[-1:])
    return _Splice(at, at, places.newline + text.removesuffix(places.newline) if on_a_new_line else text)


def _with_comments(edit: Put, places: Places) -> str:
    """Return the line of a new entry: a comment that stood behind its value stands there again."""
    line = _line(edit.path, edit.value, places)
    moved = comments.moved(places, edit)
    behind = [each for each in moved if places.comment_line(each.line) is None]
    if len(behind) == 1 and not isinstance(edit.value, dict):
        moved.remove(behind[0])
        line = f"{line.removesuffix(places.newline)} {behind[0].text.rstrip()}{places.newline}"
    indent = places.indent((*edit.path[:-1], places.keys(edit.path[:-1])[0]))
    return comments.as_lines(moved, indent, places.newline) + line


def _line(path: Path, value: object, places: Places) -> str:
    key = places.spelled(path, str(path[-1]))
    indent = places.indent((*path[:-1], places.keys(path[:-1])[0]))
    line = indent + key + inline("x", value).removeprefix("x")
    if isinstance(value, dict) and len(line) > _WIDE:
        rows = [f"{indent}{key}:", *(f"{indent}  {inline(*item)}" for item in value.items())]
        return "".join(row + places.newline for row in rows)
    return line + places.newline

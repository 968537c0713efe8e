"""Mappings in braces: their entries, and what stands between them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from llmdeploy.diagnostics import Path
from llmdeploy.emit.yaml import inline
from llmdeploy.rewrite import comments
from llmdeploy.rewrite.edits import AS_WRITTEN, Edit, Put, Remove, Rename
from llmdeploy.rewrite.places import BREAK, Places


def braced(path: Path, edits: Mapping[Path, Edit], places: Places) -> str:
    """Return the mapping at `path` with its edits."""
    entries, gaps = _read(path, edits, places)
    for edit in edits.values():
        if isinstance(edit, Put) and edit.path[:-1] == path and edit.path[-1] not in entries:
            _insert(edit, entries, gaps, places)
    for key in [key for key, text in entries.items() if text is None]:
        at = list(entries).index(key)
        before, behind = _without_comments((*path, key), gaps[at], gaps[at + 1], places)
        gaps[at : at + 2] = [_merged(before, behind, at == 0, at == len(entries) - 1)]
        del entries[key]
    body = "".join(gap + (text or "") for gap, text in zip(gaps, [*entries.values(), ""], strict=True))
    return "{" + body + "}"


def _read(path: Path, edits: Mapping[Path, Edit], places: Places) -> tuple[dict[str, str | None], list[str]]:
    """Return each entry's text, None where it is to go; and the text before, between and behind them."""
    entries: dict[str, str | None] = {}
    gaps: list[str] = []
    start, end = places.value(path)
    at = places.text.index("{", start) + 1
    for key in places.keys(path):
        mine = (*path, key)
        gaps.append(places.text[at : places.key(mine)[0]])
        entries[key] = _entry(mine, edits, places)
        at = places.value(mine)[1]
    return entries, [*gaps, places.text[at : end - 1]]


def _entry(path: Path, edits: Mapping[Path, Edit], places: Places) -> str | None:
    (begin, name_end), (start, stop) = places.key(path), places.value(path)
    match edits.get(path):
        case Remove():
            return None
        case Rename(name=name, value=value):
            text = places.text[start:stop] if value is AS_WRITTEN else places.scalar(path, value)
            return places.spelled(path, name) + places.text[name_end:start] + text
        case Put(value=value):
            return places.text[begin:start] + places.scalar(path, value)
    inside = any(other[: len(path)] == path for other in edits)
    return places.text[begin:start] + braced(path, edits, places) if inside else places.text[begin:stop]


def _insert(edit: Put, entries: dict[str, str | None], gaps: list[str], places: Places) -> None:
    keys = list(entries)
    after = next((key for key in edit.after if key in entries), keys[-1] if keys else None)
    at = keys.index(after) + 1 if after is not None else 0
    name, colon, value = inline(str(edit.path[-1]), edit.value).partition(": ")
    items = [*entries.items()]
    items.insert(at, (str(edit.path[-1]), places.spelled(edit.path, name) + colon + value))
    entries.clear()
    entries.update(items)
    between = gaps[1] if len(gaps) > 2 and "#" not in gaps[1] else ", "
    gaps.insert(at, between if at else "")


def _without_comments(path: Path, before: str, behind: str, places: Places) -> tuple[str, str]:
    """Return what stands around an entry that goes without the comments that speak of it."""
    for comment in comments.above(places, path):
        before = re.sub(
            rf"(?:{BREAK.pattern})[ \t]*{re.escape(comment.text)}(?={BREAK.pattern})", "", before, count=1
        )
    for comment in comments.within(places, path):
        behind = re.sub(rf"[ \t]*{re.escape(comment.text)}(?={BREAK.pattern}|$)", "", behind, count=1)
    return before, behind


def _merged(before: str, behind: str, first: bool, last: bool) -> str:
    """Return what stands where an entry stood: a comma less, and every comment."""
    if "#" in before + behind or (first and last):
        return (
            before + behind.replace(",", "", 1) if first or not last else before.replace(",", "", 1) + behind
        )
    return before if first else behind

"""What an edit is: a change of one entry of llm.yaml, by its path."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from llmdeploy.diagnostics import Path


class Put(Struct, frozen=True):
    """Set a value. A key that is not there yet is put behind the first of `after` that is, else at the end."""

    path: Path
    value: Any
    after: tuple[str, ...] = ()
    instead_of: tuple[Path, ...] = ()
    """Entries that go for this one; their comments come along."""


AS_WRITTEN: Any = object()


class Rename(Struct, frozen=True):
    """Give a key another name. Without a `value` its own stays as it is written."""

    path: Path
    name: str
    value: Any = AS_WRITTEN


class Remove(Struct, frozen=True):
    """Take an entry out, with the comments that speak of it."""

    path: Path


Edit = Put | Rename | Remove


def applied(data: dict[str, Any], edits: Iterable[Edit]) -> dict[str, Any]:
    """Return what the edited file must say."""
    result = copy.deepcopy(data)
    for edit in edits:
        *way, key = edit.path
        place: Any = result
        for step in way:
            place = place[step]
        if isinstance(edit, Put):
            place[key] = edit.value
        elif isinstance(edit, Remove):
            del place[key]
        else:
            old = place.pop(key)
            place[edit.name] = old if edit.value is AS_WRITTEN else edit.value
    return result


def whole(data: dict[str, Any], edits: Iterable[Edit]) -> list[Edit]:
    """Make one edit of those that make a mapping, and one of those that empty it."""
    found: list[Edit] = []
    made: dict[Path, list[Put]] = {}
    for edit in edits:
        parent = edit.path[:-1]
        if not isinstance(edit, Put) or value_at(data, parent) is not None:
            found.append(edit)
        elif parent in made:
            made[parent].append(edit)
        else:
            made[parent] = [edit]
            found.append(Put(parent, {}))
    found = [_mapping(made[edit.path]) if edit.path in made else edit for edit in found]
    for parent in {edit.path[:-1] for edit in found}:
        mine = [edit for edit in found if edit.path[:-1] == parent]
        if all(isinstance(edit, Remove) for edit in mine) and len(mine) == len(value_at(data, parent)):
            found = [edit for edit in found if edit not in mine] + [Remove(parent)]
    return found


def _mapping(puts: list[Put]) -> Put:
    """Return the one edit that makes a mapping of these entries."""
    entries = {put.path[-1]: put.value for put in puts}
    origins = tuple(path for put in puts for path in put.instead_of)
    return Put(puts[0].path[:-1], entries, puts[0].after, origins)


def value_at(data: Any, path: Path) -> Any:
    """Return what stands at a path, None where nothing does."""
    for key in path:
        if not isinstance(data, dict) or key not in data:
            return None
        data = data[key]
    return data

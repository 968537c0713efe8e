"""The way of a model to another release of its engine, newer or older."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from llmdeploy.catalog.flag_changes import Change, change
from llmdeploy.catalog.versions import order
from llmdeploy.diagnostics import Path
from llmdeploy.engines.arguments.parser import Parser, parser_of
from llmdeploy.engines.arguments.spelling import bare, split
from llmdeploy.engines.table import Table, field_of
from llmdeploy.plan.model import Service
from llmdeploy.rewrite.changes import changes
from llmdeploy.rewrite.convert import NoCounterpart, plain, text_of
from llmdeploy.rewrite.fields import neutral, path_of
from llmdeploy.rewrite.machine import driver
from llmdeploy.rewrite.report import Kind, Rewrite
from llmdeploy.rewrite.unstated import compiled_to, other_defaults
from llmdeploy.rewrite.way import Way

_SAME_VALUE = re.compile(r"engine_args: \{(?P<key>[a-z0-9._-]+): …\}")
_THIS_VALUE = re.compile(r"engine_args: \{(?P<key>[a-z0-9._-]+): (?P<value>[a-z0-9._-]+)\}")
_ENTRY = re.compile(r"(?P<key>[a-z0-9._-]+): (?P<value>[a-z0-9._-]+)")
_OFF = ("0", "false", "")


def plan(
    model: str,
    stated: Mapping[str, Any],
    table: Table,
    versions: tuple[str, str],
    compiled: Service | None = None,
) -> Rewrite:
    """Plan the way of `model`, stated as llm.yaml has it, from one release to the other.

    `compiled` is what it is compiled to at the first; None where it has errors.
    """
    old, new = versions
    way = Way(model, stated, table, table)
    before, after = parser_of(table, old), parser_of(table, new)
    if old != new or "engine_version" in stated:
        way.put(("engine_version",), new)
    if old != new:
        _image(way, old, new)
        if before is None:
            why = f"its flags are not in the catalog: only what {new} does not have is told"
            way.say(Kind.CHANGED, f"{table.title} {old}", why=why)
        if after is not None:
            _entries(way, before, after)
        if before is not None and after is not None:
            way.items.extend(compiled_to(way, before, after, compiled))
            way.items.extend(other_defaults(way, before, after))
            if "image" not in stated and (compiled is None or compiled.gpus.vendor == "nvidia"):
                way.items.extend(driver((table, old), (table, new)))
    ends = ((table.name, old), (table.name, new))
    return Rewrite(model, *ends, tuple(way.items), tuple(way.edits))


def _entries(way: Way, before: Parser | None, after: Parser) -> None:
    for key, value in way.entries("engine_args").items():
        _argument(way, before, after, key, value)
    for name, value in way.entries("env").items():
        _variable(way, after, name, value)


def _image(way: Way, old: str, new: str) -> None:
    image = way.stated.get("image")
    if not isinstance(image, str):
        return
    tagged = re.compile(rf"(?<![0-9.]){re.escape(old)}(?![0-9.])")
    if "@" not in image and tagged.search(image):
        way.put(("image",), tagged.sub(new, image))
        way.say(Kind.RENAMED, f"image: {image}", f"image: {tagged.sub(new, image)}", at=("image",))
    else:
        why = f"it stays, and must hold {way.after.title} {new}; without `image` the catalog's is taken"
        way.say(Kind.BY_HAND, f"image: {image}", why=why, at=("image",))


# --- engine_args


def _argument(way: Way, before: Parser | None, after: Parser, key: str, value: Any) -> None:
    spelling, inner = split(key.lower() if way.after.engine_args == "environment" else key)
    path, found, now = ("engine_args", key), before.find(spelling) if before else None, after.find(spelling)
    if now is not None:
        was = found.flag if found else None
        found_now = changes(way.shown(path, value), inner, value, was, now.flag, after, before)
        way.items.extend(replace(each, at=path) for each in found_now)
    elif found is not None and not found.negated and (kept := after.find(found.flag.name)) is not None:
        name = bare(kept.text) + (f".{inner}" if inner else "")
        way.rename(path, name)
        new = way.shown(("engine_args", name), value)
        way.say(Kind.RENAMED, way.shown(path, value), new, why="this spelling has gone", at=path)
    else:
        _gone(way, after, key, value, found.flag.name if found and not found.negated else spelling)


def _gone(way: Way, after: Parser, key: str, value: Any, name: str) -> None:
    """A flag that the new release does not have. What means another thing there is left to the user."""
    row, path = change(after.engine, name), ("engine_args", key)
    if row is None and not after.releases(name):
        return  # it never was a flag: that is a finding, not a change
    subject, source = way.shown(path, value), row.source if row else None
    since = row.removed if row and row.removed else after.after(_older(name, after))
    gone = f"not there since {since}" if since else f"not there yet in {after.version}"
    why = f"{gone}: {row.because}" if row and row.because else gone
    if row is None or not (row.write or row.use):
        way.remove(path)
        way.say(Kind.GONE, subject, why=why, source=source, at=path)
    elif (field := _as_field(row, value, way.after)) is not None:
        way.remove(path)
        if way.state(*field, instead_of=path):
            way.say(Kind.FIELD, subject, way.shown(*field), why=gone, source=source, at=path)
        else:
            why = f"{gone}, and `{row.use}` says it already"
            way.say(Kind.GONE, subject, why=why, source=source, at=path)
    elif (entries := _instead(row, value)) is None:
        way.say(Kind.BY_HAND, subject, why=f"{gone}: {row.help}", source=source, at=path)
    else:
        _replace(way, path, entries)
        new = ", ".join(way.shown(("engine_args", name), said) for name, said in entries.items())
        way.say(Kind.RENAMED, subject, new, why=gone, source=source, at=path)


def _as_field(row: Change, value: Any, table: Table) -> tuple[tuple[str, ...], Any] | None:
    """Return the field that says the same, where the row has nothing to add and the field has this very word."""
    if row.because is not None:
        return None
    for setting in table.settings.values():
        if field_of(setting.name) == row.use and setting.values:
            with suppress(NoCounterpart):
                return path_of(setting), neutral(value, setting, table)
    return None


def _instead(row: Change, value: Any) -> dict[str, Any] | None:
    """Return what stands for a flag, where the row leaves no choice and has nothing to add."""
    if row.because is not None:
        return None
    entries = [_ENTRY.fullmatch(each) for each in row.write]
    if value is True and all(entries):
        return {entry["key"]: entry["value"] for entry in entries if entry}
    return {row.write[0]: value} if len(row.write) == 1 and ":" not in row.write[0] else None


def _replace(way: Way, path: Path, entries: Mapping[str, Any]) -> None:
    """Write entries where one was; what is stated already stays as it is."""
    missing = {name: value for name, value in entries.items() if not way.says(("engine_args", name))}
    if not missing:
        way.remove(path)
    for number, (name, value) in enumerate(missing.items()):
        if number == 0:
            way.rename(path, name, *([] if value == way.entries("engine_args")[str(path[1])] else [value]))
        else:
            way.put(("engine_args", name), value)


def _older(name: str, after: Parser) -> list[str]:
    return [each for each in after.releases(name) if after.is_before(each)]


# --- env


def _variable(way: Way, after: Parser, name: str, value: Any) -> None:
    row, path = change(after.engine, name), ("env", name)
    if row is None or row.removed is None or order(row.removed) > order(after.version):
        return
    subject, gone, put = way.shown(path, value), f"not read since {row.removed}", _put(row, value)
    if put is None and row.write:
        way.say(Kind.BY_HAND, subject, why=row.help, source=row.source, at=path)
    elif put is None:
        way.remove(path)
        why = f"{gone}: {row.because}" if row.because else gone
        way.say(Kind.GONE, subject, why=why, source=row.source, at=path)
    else:
        new: Path = ("engine_args", put[0])
        way.remove(path)
        if not way.says(new):
            way.put(new, put[1], instead_of=path)
        way.say(Kind.RENAMED, subject, way.shown(new, put[1]), why=gone, source=row.source, at=path)


def _put(row: Change, value: Any) -> tuple[str, Any] | None:
    """Return the argument that says what a variable said, where the row leaves no choice."""
    if len(row.write) != 1:
        return None
    if same := _SAME_VALUE.fullmatch(row.write[0]):
        return same["key"], plain(value)
    this = _THIS_VALUE.fullmatch(row.write[0])
    return (this["key"], this["value"]) if this and text_of(value).lower() not in _OFF else None

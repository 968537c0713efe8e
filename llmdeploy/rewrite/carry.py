"""One flag or variable on its way to another engine: it becomes a field, another flag, or a reason why not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdeploy.catalog.flags import Flag
from llmdeploy.catalog.meanings import Meaning, Spelling, meanings, meanings_of
from llmdeploy.diagnostics import Path
from llmdeploy.engines.arguments.spelling import bare
from llmdeploy.engines.table import Setting
from llmdeploy.rewrite.convert import NoCounterpart, converted, text_of
from llmdeploy.rewrite.fields import neutral, path_of
from llmdeploy.rewrite.names import Named, known, named
from llmdeploy.rewrite.report import Kind, shown
from llmdeploy.rewrite.way import Way


def carry(way: Way, where: Path | None, key: str, value: Any) -> None:
    """Say and do what becomes of it. `where` it stands below the model, None for what a Bento says itself."""
    subject = way.shown(where, value) if where else f"the Bento says {key}: {shown(value)}"
    meant = named(key, value, way.before)
    owned = way.before.owned_flags.get(meant.name) or way.before.owned_env.get(key)
    try:
        if meant.setting is not None:
            _to_field(way, where, subject, meant.setting, neutral(meant.word, meant.setting, way.before))
        elif owned is not None:
            _leave(way, where, Kind.LOST, subject, f"llmdeploy decides it: {owned}")
        else:
            _by_meaning(way, where, subject, meant)
    except NoCounterpart as reason:
        _leave(way, where, Kind.BY_HAND, subject, str(reason))


def _by_meaning(way: Way, where: Path | None, subject: str, meant: Named) -> None:
    """Carry it over by the first of its meanings that has this value. Raises NoCounterpart."""
    rows = meanings_of(way.before.name, meant.name)
    reasons: list[str] = []
    for row in rows:
        if way.after.name in row.lacking:
            _leave(way, where, Kind.LOST, subject, row.lacking[way.after.name], row.source)
            return
        spelling = row.spelled[way.after.name]
        try:
            new = converted(meant.value, row.spelled[way.before.name], spelling)
        except NoCounterpart as reason:
            reasons.append(str(reason))
            continue
        _to_flag(way, where, subject, row, spelling, new)
        return
    raise NoCounterpart(reasons[0] if reasons else _unknown(way, meant.name))


def _unknown(way: Way, name: str) -> str:
    """Say what is known of a flag that nobody has compared."""
    for row in meanings():
        spelling = row.spelled.get(way.before.name)
        if spelling is not None and name in spelling.also:
            return f"it goes with `{bare(spelling.name)}`"
    if known(name, way.after) is not None:
        return f"{way.after.title} has a flag of this name, which nobody has compared; write it if it is the same"
    return f"what {way.after.title} calls it is not known; its own documentation may say"


def _to_flag(
    way: Way, where: Path | None, subject: str, row: Meaning, spelling: Spelling, value: Any
) -> None:
    there = named(spelling.name, value, way.after)
    if there.setting is not None:
        _to_field(way, where, subject, there.setting, neutral(there.word, there.setting, way.after))
        return
    flag = known(spelling.name, way.after)
    if flag is not None and flag.type == "int" and isinstance(value, float):
        if not value.is_integer():
            raise NoCounterpart(f"`{bare(flag.name)}` takes whole numbers")
        value = int(value)
    if _is_default(value, flag):
        _leave(way, where, Kind.SPARE, subject, f"it is what {way.after.title} does anyway", row.source)
        return
    home, key = ("engine_args" if spelling.name.startswith("--") else "env"), bare(spelling.name)
    new = value if home == "engine_args" else text_of(value)
    if where != (home, key) and way.says((home, key)):
        _leave(way, where, Kind.LOST, subject, f"`{key}` says it already")
        return
    _place(way, where, home, key, new)
    said = [f"{home}.{key}: {shown(new)}"]
    said += (f"{bare(each)}: {shown(beside)}" for each, beside in _beside(way, spelling))
    differs = row.difference(way.before.name, way.after.name)
    is_as_it_was = where == (home, key) and len(said) == 1 and _same(new, way.entries(home)[key])
    if not is_as_it_was:
        way.say(Kind.RENAMED, subject, ", ".join(said), why=differs, source=row.source, at=where)
    elif differs is not None:
        way.say(Kind.BEHAVES, subject, why=differs, source=row.source, at=where)


def _beside(way: Way, spelling: Spelling) -> Iterator[tuple[str, Any]]:
    """State what a flag goes with, as a field where it is one, and yield what was not there yet."""
    for further, value in spelling.also.items():
        there = named(further, value, way.after)
        if there.setting is not None:
            path, value = path_of(there.setting), neutral(there.word, there.setting, way.after)
        else:
            path = ("engine_args", bare(further))
        if way.state(path, value):
            yield (further if there.setting is None else ".".join(path)), value


def _place(way: Way, where: Path | None, home: str, key: str, value: Any) -> None:
    """Write an entry where the old one stood, or as a new one."""
    if where is None or where[0] != home:
        if where is not None:
            way.remove(where)
        way.put((home, key), value, instead_of=where)
    elif key != where[1]:
        way.rename(where, key, *([] if _same(value, way.entries(home)[str(where[1])]) else [value]))
    elif not _same(value, way.entries(home)[key]):
        way.put((home, key), value)


def _same(value: Any, other: Any) -> bool:
    """Tell whether one is written like the other: `3.0` is not `3` to a parser of whole numbers."""
    return bool(value == other) and text_of(value) == text_of(other)


def _to_field(way: Way, where: Path | None, subject: str, setting: Setting, value: Any) -> None:
    path = path_of(setting)
    if setting.name == "tensor":
        _leave(way, where, Kind.LOST, subject, "llmdeploy derives it from `gpus` and `parallel`")
    elif setting.name not in way.after.settings and not is_converted(way, setting.name):
        noted = way.after.noted.get(setting.name)
        why = noted.message if noted else way.after.lacking.get(setting.name, lacks(way, path))
        _leave(way, where, Kind.LOST, subject, why)
    elif not way.state(path, value, instead_of=where):
        _leave(way, where, Kind.LOST, subject, f"`{'.'.join(path)}` says it already")
    else:
        if where is not None:
            way.remove(where)
        way.say(Kind.FIELD, subject, way.shown(path, value), at=where)


def is_converted(way: Way, name: str) -> bool:
    """Tell whether the compiler finds the engine's own fraction from that of the card (`plan.sizing`)."""
    return name == "memory_fraction" and "static_fraction" in way.after.settings


def lacks(way: Way, path: Path) -> str:
    return f"{way.after.title} has no counterpart of `{'.'.join(map(str, path))}`"


def _leave(
    way: Way, where: Path | None, kind: Kind, subject: str, why: str, source: str | None = None
) -> None:
    if where is not None:
        way.remove(where)
    way.say(kind, subject, why=why, source=source, at=where)


def _is_default(value: Any, flag: Flag | None) -> bool:
    """Tell whether an engine does this anyway; a switch that can only be given is off without it."""
    if flag is None or flag.kind not in ("switch", "value"):
        return False
    if value is False and flag.kind == "switch" and not flag.negations:
        return True
    is_alike = isinstance(value, bool) == isinstance(flag.default, bool)
    return flag.default is not None and is_alike and bool(value == flag.default)

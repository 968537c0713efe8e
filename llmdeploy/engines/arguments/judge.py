"""Which entries of `engine_args` the engine takes, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from llmdeploy.catalog.flags import Flag
from llmdeploy.diagnostics import Diagnostic, Path, Place
from llmdeploy.engines.arguments import bounds, changes, fields, registries, unknown, values
from llmdeploy.engines.arguments.parser import Parser, owned
from llmdeploy.engines.arguments.spelling import Spelled, bare, is_name, split
from llmdeploy.engines.base import Settings
from llmdeploy.engines.table import Table

_REFUSALS = frozenset({"LD313", "LD317", "LD319"})


class Argument(Struct, frozen=True):
    """One entry that the engine takes. With a `field` the value is of that field of the flag's JSON."""

    key: str
    value: Any
    path: Path
    spelled: Spelled
    field: str = ""


def judge(settings: Settings, table: Table, parser: Parser | None) -> Iterator[Argument | Diagnostic]:
    """Judge every entry, in the order written. Without a parser the values alone tell what a flag takes."""
    seen: dict[tuple[str, str], str] = {}
    for key, value in settings.engine_args.items():
        path = (*settings.origin, "engine_args", key)
        found = _named(key, value, path, table, parser)
        if isinstance(found, Argument) and not found.field:
            found = fields.clash(key, found.spelled.flag.name, value, path, settings, table) or found
        if isinstance(found, Argument) and (other := _given_before(found, seen)) is not None:
            found = Diagnostic("LD313", f"`{key}` and `{other}` are one flag", path, "keep one of the two")
        if isinstance(found, Diagnostic):
            yield found
            continue
        findings = list(_findings(found, settings, table, parser))
        yield from findings
        if not any(finding.code in _REFUSALS for finding in findings):
            yield found


def _named(key: str, value: Any, path: Path, table: Table, parser: Parser | None) -> Argument | Diagnostic:
    """Find the flag that a key means."""
    if not is_name(key):
        return Diagnostic("LD313", f"`{key}` is not the name of a flag", path, "write `name: value`")
    # TGI's flags may be written as the variables that they are set by.
    spelling, field = split(key.lower() if table.engine_args == "environment" else key)
    spelled = parser.find(spelling) if parser else None
    if (mine := owned(spelling, table, parser, field)) is not None:
        message = f"`{key}` is `{mine}`, which llmdeploy decides"
        return Diagnostic("LD306", message, path, table.owned_flags[mine])
    if parser is None:
        return Argument(key, value, path, Spelled(_guessed(spelling, value), spelling), field)
    if spelled is None:
        return unknown.finding(key, spelling, path, table, parser)
    if field and not (table.fields and spelled.flag.type == "json"):
        name = bare(spelled.text)
        takes = f"`{name}` takes no JSON" if table.fields else f"{parser.title} takes no field behind a dot"
        help = f"write `{name}: {{{field}: …}}`" if spelled.flag.type == "json" else f"write `{name}` alone"
        message = f"`{key}` is not a flag: {takes}"
        return Diagnostic("LD316", message, path, help, place=Place.KEY)
    return Argument(key, value, path, spelled, field)


def _guessed(spelling: str, value: Any) -> Flag:
    """Make a flag for an engine that the catalog does not cover: of the kind that its value is."""
    if isinstance(value, bool):
        return Flag(spelling, "switch", "bool", negations=("--no-" + spelling.lstrip("-"),))
    if isinstance(value, list):
        return Flag(spelling, "list", "text")
    return Flag(spelling, "value", "json" if isinstance(value, Mapping) else "text")


def _given_before(argument: Argument, seen: dict[tuple[str, str], str]) -> str | None:
    """Return the key that said this already. The whole of a flag's JSON would undo what its fields say."""
    name = argument.spelled.flag.name
    field = argument.field.replace("_", "-")
    for (other, other_field), key in seen.items():
        if other == name and (other_field == field or "" in (field, other_field)):
            return key
    seen[name, field] = argument.key
    return None


def _findings(
    argument: Argument, settings: Settings, table: Table, parser: Parser | None
) -> Iterator[Diagnostic]:
    flag, key, value, path = argument.spelled.flag, argument.key, argument.value, argument.path
    if value is None or value == []:
        yield Diagnostic("LD313", f"`{key}` has no value", path, "write one, or leave it out")
        return
    if value is False and flag.kind == "switch" and not _has_opposite(argument, table):
        message = f"`{key}` is false, and this switch can only be given or left out"
        yield Diagnostic("LD313", message, path, "leave it out")
        return
    if parser is None:
        return
    found = changes.changed_value(key, flag.name, argument.field, value, path, parser)
    fault = None if argument.field else values.fault(_said(argument, table), flag, parser.numbers)
    if fault is not None and (found is None or found.code == "LD515"):
        found = Diagnostic("LD319", f"`{key}` {fault.text}", path, fault.help)
    if found is not None:
        yield found
    elif (old := changes.deprecated(key, flag.name, flag.deprecated, path, parser)) is not None:
        yield old
    if found is None and not argument.field:
        yield from registries.check(value, key, flag, path, settings, parser)
    if fault is None:
        yield from _out_of_bounds(argument, settings, parser)


def _out_of_bounds(argument: Argument, settings: Settings, parser: Parser) -> Iterator[Diagnostic]:
    value, flag = argument.value, argument.spelled.flag
    beside = bounds.Beside(settings.vendor, settings.engine_args)
    for field, fault in bounds.faults(value, flag, beside, parser, argument.field):
        inside = bool(field) and not argument.field
        name, path = (
            (f"{argument.key}.{field}", (*argument.path, field)) if inside else (argument.key, argument.path)
        )
        yield Diagnostic("LD319", f"`{name}` {fault.text}", path, fault.help)


def _said(argument: Argument, table: Table) -> Any:
    """Return the value in the form that the parser sees: a variable has its list in one text."""
    value, flag = argument.value, argument.spelled.flag
    joined = table.engine_args == "environment" and flag.kind == "value" and flag.type == "text"
    return ",".join(map(values.text_of, value)) if joined and isinstance(value, list) else value


def _has_opposite(argument: Argument, table: Table) -> bool:
    spelled = argument.spelled
    return table.engine_args != "arguments" or spelled.negated or bool(spelled.flag.negations)

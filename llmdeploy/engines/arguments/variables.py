"""Variables in `env`: the compiler's own, and those that the engine does not read, or no longer."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmdeploy.catalog.flag_changes import all_changes, change
from llmdeploy.diagnostics import Diagnostic, Note, Path, Place
from llmdeploy.diagnostics.suggest import closest, question
from llmdeploy.engines.arguments import bounds
from llmdeploy.engines.arguments.changes import removal, source
from llmdeploy.engines.arguments.parser import Parser, parser_of
from llmdeploy.engines.arguments.values import fault
from llmdeploy.engines.base import Settings
from llmdeploy.engines.table import Table

_LINK = re.compile(
    r"[A-Z0-9_]+?_(SERVICE_(HOST|PORT)(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP)(_(ADDR|PORT|PROTO))?)"
)
"""What Kubernetes sets in every container for every Service, beside NAME_PORT."""


def check(settings: Settings, table: Table) -> Iterator[Diagnostic]:
    """Judge `env`. The catalog is read only where a name looks like the engine's."""
    for name, text in settings.env.items():
        path = (*settings.origin, "env", name)
        if name in table.owned_env:
            link = text.startswith(("tcp://", "udp://"))
            notes = (Note("Kubernetes sets this for a Service; llmdeploy turns that off"),) if link else ()
            yield Diagnostic("LD306", f"`{name}` is decided by llmdeploy", path, table.owned_env[name], notes)
        elif table.engine_args == "environment":
            if (parser := parser_of(table, settings.version)) is not None:
                yield from _as_flag(name, text, path, settings, parser)
        elif name.startswith(table.variables) and (parser := parser_of(table, settings.version)) is not None:
            yield from _prefixed(name, path, parser)


def _as_flag(name: str, text: str, path: Path, settings: Settings, parser: Parser) -> Iterator[Diagnostic]:
    """Judge a variable of an engine whose flags are variables: their names have nothing in common."""
    names = {spelled.flag.env: spelled.flag for spelled in parser.known.values() if spelled.flag.env}
    if (flag := names.get(name)) is None:
        meant = closest(name, names, 0.85)
        if meant is not None:
            message = f"{parser.title} {parser.version} reads no `{name}`"
            yield Diagnostic("LD516", message, path, question(meant), place=Place.KEY)
        return
    value = text == "true" if flag.kind == "switch" and text in ("true", "false") else text
    beside = bounds.Beside(settings.vendor, settings.engine_args)
    found = fault(value, flag, parser.numbers) or bounds.fault(text, flag, beside, parser)
    if found is not None:
        yield Diagnostic("LD319", f"`{name}` {found.text}", path, found.help)


def _former(parser: Parser) -> set[str]:
    """Return the variables that some other release reads, or once read."""
    rows = (row.name for row in all_changes() if row.engine == parser.engine and not row.name.startswith("-"))
    return {
        *rows,
        *(name for each in parser.catalog.versions for name in parser.catalog.registry("env", each)),
    }


def _prefixed(name: str, path: Path, parser: Parser) -> Iterator[Diagnostic]:
    """Judge a variable whose name begins as the engine's own do."""
    known = parser.catalog.registry("env", parser.release)
    if not known or name in known:
        return
    message, help = f"{parser.title} {parser.version} reads no `{name}`", "leave it out"
    notes: tuple[Note, ...] = ()
    row = change(parser.engine, name)
    having = [each for each in parser.catalog.versions if name in parser.catalog.registry("env", each)]
    gone = removal(row, parser) or parser.after([each for each in having if parser.is_before(each)])
    if gone is not None:
        message = f"{parser.title} does not read `{name}` since {gone}"
        help, notes = row.help if row else help, source(row)
    elif having:
        message = f"{parser.title} reads `{name}` since {having[0]}, and this is {parser.version}"
    elif _LINK.fullmatch(name):
        help = "leave it out: Kubernetes sets such names for its Services, and llmdeploy turns that off"
    elif (meant := closest(name, known, 0.8)) is not None:
        help = question(meant)
    elif (meant := closest(name, _former(parser), 0.8)) is not None:
        row = change(parser.engine, meant)
        help, notes = (
            f"{question(meant)} That is read no longer: {row.help if row else help}",
            source(row),
        )
    yield Diagnostic("LD516", message, path, help, notes, place=Place.KEY)

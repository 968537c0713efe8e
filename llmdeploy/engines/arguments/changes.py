"""Flags and variables that came, went, or are about to go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmdeploy.catalog.flag_changes import Change, change, changed_values
from llmdeploy.catalog.versions import order
from llmdeploy.diagnostics import Diagnostic, Note, Path, Place
from llmdeploy.engines.arguments.parser import Parser
from llmdeploy.engines.arguments.values import text_of


def gone_or_to_come(key: str, spelling: str, path: Path, parser: Parser) -> Diagnostic | None:
    """Find a flag that this version does not have: one that was removed, or one that came later."""
    row = change(parser.engine, spelling)
    having = parser.releases(spelling)
    later = [each for each in having if not parser.is_before(each)]
    gone = removal(row, parser) or parser.after([each for each in having if parser.is_before(each)])
    if gone is not None:
        message = f"{parser.title} has no `{key}` since {gone}"
        back = (Note(f"{later[0]} has it again"),) if later else ()
        return Diagnostic(
            "LD317", message, path, row.help if row else "leave it out", (*back, *source(row)), Place.KEY
        )
    if later:
        message = f"{parser.title} has `{key}` since {later[0]}, and this is {parser.version}"
        help = f'leave it out, or set `engine_version: "{later[0]}"`'
        return Diagnostic("LD318", message, path, help, place=Place.KEY)
    return None


def removal(row: Change | None, parser: Parser) -> str | None:
    """Return the release that dropped what a row speaks of, where this version is no older."""
    if row is None or row.removed is None or order(row.removed) > order(parser.version):
        return None
    return row.removed


def deprecated(key: str, name: str, words: str | None, path: Path, parser: Parser) -> Diagnostic | None:
    """Find a flag that works and that the engine warns of."""
    row = change(parser.engine, name)
    stated = row is not None and row.deprecated is not None and order(row.deprecated) <= order(parser.version)
    if words is None and not stated:
        return None
    until = f"; {row.until} is to drop it" if row and row.until else ""
    message = f"`{key}` is deprecated in {parser.title} {parser.version}{until}"
    notes = (Note(f"{parser.title} says: {words}"),) if words else source(row)
    return Diagnostic("LD515", message, path, row.help if row else "leave it out", notes, Place.KEY)


def changed_value(
    key: str, name: str, field: str, value: Any, path: Path, parser: Parser
) -> Diagnostic | None:
    """Find a value that a flag, or a field of its JSON, no longer takes, or not for long."""
    for row in changed_values(parser.engine, name):
        if row.value not in _texts(value, row.field, field):
            continue
        where = f"{key}.{row.field}" if row.field and not field else key
        if removal(row, parser):
            message = f"{parser.title} has no `{where}: {row.value}` since {row.removed}"
            return Diagnostic("LD317", message, path, row.help, source(row))
        if row.deprecated is not None and order(row.deprecated) <= order(parser.version):
            until = f"; {row.until} is to drop it" if row.until else ""
            message = f"`{where}: {row.value}` is deprecated in {parser.title} {parser.version}{until}"
            return Diagnostic("LD515", message, path, row.help, source(row))
    return None


def _texts(value: Any, field_of_row: str | None, field: str) -> list[str]:
    """Return the texts that a row may speak of."""
    if field_of_row is not None and not field:
        value = value.get(field_of_row) if isinstance(value, Mapping) else None
    elif field_of_row != (field or None):
        return []
    return [text_of(one) for one in (value if isinstance(value, list) else [value]) if one is not None]


def source(row: Change | None) -> tuple[Note, ...]:
    """Return where a row has its fact from, as a note."""
    return (Note(f"source: {row.source}"),) if row else ()

"""Engines side by side, or one alone, as `llmdeploy engines` shows them to people."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import click
from msgspec import Struct

if TYPE_CHECKING:
    from llmdeploy.catalog.course_table import Claim
    from llmdeploy.engines.base import Capability, Card

PAGE = 100
"""Columns of what is not a terminal."""

Marks = Mapping[tuple[str, str], str]
"""(engine, capability) -> the mark of a cell of which the course says what does not hold."""


class Column(Struct, frozen=True):
    """What one release can do, and what the course said of its engine."""

    name: str
    card: Card
    version: str
    releases: tuple[str, ...]
    cells: Mapping[str, Capability]
    said: Mapping[str, Claim]


def table(columns: Sequence[Column], sources: bool) -> list[str]:
    """Return a row for each capability, then what the course said instead."""
    names = _names(columns)
    label = max(map(len, names))
    width = (_width() - label) // len(columns) - 2
    marks = _marks(columns)
    head = [
        *_row("", [column.name for column in columns], label, width),
        *_row("release", [column.version for column in columns], label, width),
    ]
    lines = [click.style(line, bold=True) for line in head]
    wrapped = True
    for name in names:
        texts = [_text(column, name, marks) for column in columns]
        row = list(_row(name, texts, label, width))
        # A blank line sets off the rows that are wrapped.
        lines += [""] if wrapped or len(row) > 1 else []
        lines += row
        wrapped = len(row) > 1
    lines += _footnotes(columns, marks)
    if sources:
        lines += [line for column in columns for line in _sources(column)]
    return lines


def detail(column: Column, sources: bool) -> list[str]:
    """Return all that is known of one release: since when, and by which flags."""
    label = max(map(len, column.cells))
    marks = _marks([column])
    about = f" {column.version}  engine: {column.name}  {column.card.status}"
    known = f"known releases: {', '.join(column.releases)}"
    lines = [
        click.style(column.card.title, bold=True) + about,
        *textwrap.wrap(known, _width(), subsequent_indent="  "),
        "",
    ]
    for name, cell in column.cells.items():
        span = f" ({_span(cell)})" if cell.since or cell.until else ""
        lines += _row(name, [_text(column, name, marks) + span], label, _width() - label - 2)
        flags = _row("", [" ".join(cell.flags)], label, _width() - label - 2)
        lines += [click.style(line, dim=True) for line in flags]
    lines += _footnotes([column], marks)
    return [*lines, *_sources(column)] if sources else lines


def _width() -> int:
    return max(shutil.get_terminal_size().columns, 80) if sys.stdout.isatty() else PAGE


def _names(columns: Sequence[Column]) -> list[str]:
    return list(dict.fromkeys(name for column in columns for name in column.cells))


def _text(column: Column, name: str, marks: Marks) -> str:
    cell = column.cells.get(name)
    return " ".join(filter(None, (cell.value if cell else "?", marks.get((column.name, name)))))


def _row(label: str, texts: Sequence[str], label_width: int, width: int) -> Iterator[str]:
    """Yield the lines of one row, each text wrapped in a column of its own."""
    columns = [textwrap.wrap(text, width, break_on_hyphens=width < 18) for text in texts]
    for line in range(max(map(len, columns))):
        parts = [column[line] if line < len(column) else "" for column in columns]
        first = label if line == 0 else ""
        yield "  ".join([first.ljust(label_width), *(part.ljust(width) for part in parts)]).rstrip()


def _span(cell: Capability) -> str:
    ends = (cell.since and f"since {cell.since}", cell.until and f"until {cell.until}")
    return ", ".join(filter(None, ends))


def _marks(columns: Sequence[Column]) -> Marks:
    gone = [
        (column.name, name)
        for name in _names(columns)
        for column in columns
        if name in column.said and not column.said[name].holds
    ]
    return {key: f"*{number}" for number, key in enumerate(gone, 1)}


def _footnotes(columns: Sequence[Column], marks: Marks) -> Iterator[str]:
    """Yield what the course says in each marked cell, and why and since when that does not hold."""
    if not marks:
        return
    yield ""
    yield click.style("* no longer what the course's table of 2025 says:", bold=True)
    said = {column.name: column.said for column in columns}
    for (engine, name), mark in marks.items():
        claim = said[engine][name]
        verdict = " ".join(filter(None, (claim.verdict, _since(claim))))
        text = f"{mark:<3} {name}, {engine}: “{claim.said}” is {verdict}: {claim.why}"
        yield from textwrap.wrap(text, _width(), subsequent_indent=" " * 4, break_on_hyphens=False)


def _since(claim: Claim) -> str | None:
    release = claim.version or claim.by
    stated = " ".join(filter(None, (release, f"({claim.date})" if release and claim.date else claim.date)))
    return f"{'by' if claim.by else 'since'} {stated}" if stated else None


def _sources(column: Column) -> Iterator[str]:
    yield ""
    yield click.style(f"where this comes from: {column.name}", bold=True)
    facts = [(name, cell.source) for name, cell in column.cells.items()]
    facts += [(f"{name}, as the course has it", claim.source) for name, claim in column.said.items()]
    for name, source in facts:
        yield from textwrap.wrap(f"  {name}: {source}", _width(), subsequent_indent="    ")

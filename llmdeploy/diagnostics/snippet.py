"""One line of llm.yaml with a part of it underlined, in any terminal and without credentials."""

from __future__ import annotations

import unicodedata

from llmdeploy.diagnostics.redact import MASK, secret_ranges
from llmdeploy.source import Source, Span

WIDTH = 110  # columns of the line that are shown
BEFORE = 40  # of them, what is kept before the underlined part
TAB = "    "


def snippet(source: Source, span: Span, loose: bool) -> tuple[str, str] | None:
    """Return the line of `span` and the underline below it, or None where the file has no such line."""
    if not (source.text and 1 <= span.line <= len(source.lines)):
        return None
    line = source.lines[span.line - 1]
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(line.rstrip())
    # A cell is what is shown for one character; so columns survive tabs, masks and escapes.
    cells = [clean(character) for character in line]
    for begin, stop in secret_ranges(source, span.line, loose):
        cells[begin:stop] = [MASK] + [""] * (stop - begin - 1)
    cells, start, end = _clip(cells, start, end)
    padding = width("".join(cells[:start]))
    length = max(1, width("".join(cells[start:end])))
    return "".join(cells).rstrip(), " " * padding + "^" * length


def clean(text: str) -> str:
    """Return text that cannot steer a terminal."""
    return "".join(
        c if c.isprintable() else TAB if c == "\t" else c.encode("unicode_escape").decode() for c in text
    )


def width(text: str) -> int:
    """Return the columns that a terminal gives to printable text."""
    return sum(
        0 if unicodedata.category(c) in ("Mn", "Me") else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _clip(cells: list[str], start: int, end: int) -> tuple[list[str], int, int]:
    """Cut a long line down to what surrounds its underlined part."""
    if width("".join(cells)) <= WIDTH:
        return cells, start, end
    first = max(0, start - BEFORE)
    last, room = first, WIDTH
    while last < len(cells) and room >= width(cells[last]):
        room -= width(cells[last])
        last += 1
    head, tail = ["…"] * (first > 0), ["…"] * (last < len(cells))
    shift = len(head) - first
    return [*head, *cells[first:last], *tail], start + shift, min(end, last) + shift

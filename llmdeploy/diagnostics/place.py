"""From a diagnostic's path to its place in the file."""

from __future__ import annotations

from collections.abc import Iterable

from llmdeploy.diagnostics.model import Diagnostic, Place
from llmdeploy.source import Source, Span


def locate(diagnostic: Diagnostic, source: Source) -> Span:
    if diagnostic.line is None:
        return source.locate(diagnostic.path, diagnostic.place)
    line, column = diagnostic.line, diagnostic.column or 1
    # A key that is given twice: the second has no path of its own, but it is as long as the first.
    width = len(str(diagnostic.path[-1])) if diagnostic.place is Place.KEY and diagnostic.path else 0
    return Span(line, column, line, column + width)


def sort(diagnostics: Iterable[Diagnostic], source: Source) -> list[Diagnostic]:
    """Return the diagnostics in the order of the file; at one place, by code."""
    return sorted(diagnostics, key=lambda d: (*locate(d, source)[:2], d.code, d.message))

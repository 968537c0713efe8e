"""Diagnostics as text: for people (full, concise), for programs (json) and for GitHub's annotations."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from llmdeploy.diagnostics.codes import Severity
from llmdeploy.diagnostics.model import Diagnostic, Note, Place
from llmdeploy.diagnostics.place import locate, sort
from llmdeploy.diagnostics.snippet import clean, snippet
from llmdeploy.source import Source, Span

__all__ = ["Format", "document", "render", "sort"]

Format = Literal["full", "concise", "json", "github"]

_BOLD, _BLUE = "1", "1;34"
_COLORS = {Severity.ERROR: "1;31", Severity.WARNING: "1;33", Severity.NOTE: "1;36"}
_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render(
    diagnostics: Sequence[Diagnostic], source: Source, format: Format = "full", color: bool = False
) -> str:
    """Return the diagnostics in the order given; text without a line break at its end, empty for none."""
    if format == "json":
        return json.dumps(document(diagnostics, source), indent=2)
    if format == "github":
        return "\n".join(_github(d, source) for d in diagnostics)
    if format == "concise":
        return "\n".join(
            f"{_position(source, locate(d, source))}: {d.code} {clean(d.message)}" for d in diagnostics
        )
    return "\n\n".join("\n".join(_full(d, source, color)) for d in diagnostics)


def document(diagnostics: Sequence[Diagnostic], source: Source) -> dict[str, Any]:
    """Return what a program reads, to which a command may add its own."""
    return {"diagnostics": [_as_json(each, source) for each in diagnostics]}


def _as_json(diagnostic: Diagnostic, source: Source) -> dict[str, Any]:
    span = locate(diagnostic, source)
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        "path": list(diagnostic.path),
        "file": source.file,
        "line": span.line,
        "column": span.column,
        "help": diagnostic.help,
        "notes": [
            {"text": note.text, "path": None if note.path is None else list(note.path)}
            for note in diagnostic.notes
        ],
    }


def _full(diagnostic: Diagnostic, source: Source, color: bool) -> Iterator[str]:
    def paint(text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if color else text

    severity = diagnostic.severity
    span = locate(diagnostic, source)
    margin = " " * (len(str(span.line)) + 1)
    bar = paint(f"{margin} |", _BLUE)
    title = paint(f"{severity}[{diagnostic.code}]", _COLORS[severity])
    yield title + paint(f": {clean(diagnostic.message)}", _BOLD)
    yield f"{paint(f'{margin}-->', _BLUE)} {_position(source, span)}"
    shown = _snippet(diagnostic, source, span)
    if shown:
        line, underline = shown
        yield bar
        yield f"{paint(f' {span.line} |', _BLUE)} {line}".rstrip()
        yield f"{bar} {paint(underline, _COLORS[severity])}"
    for note in diagnostic.notes:
        yield f"{paint(f'{margin} =', _BLUE)} note: {clean(note.text)}"
        if note.path is not None:
            yield f"{paint(f'{margin}:::', _BLUE)} {_position(source, _note_span(note, source))}"
    if diagnostic.help:
        yield f"{paint(f'{margin} =', _BLUE)} help: {clean(diagnostic.help)}"


def _snippet(diagnostic: Diagnostic, source: Source, span: Span) -> tuple[str, str] | None:
    """The file as a whole has no line to show: the first would only mislead."""
    if diagnostic.line is None and not (diagnostic.path and diagnostic.path[:1] in source.spans):
        return None
    return snippet(source, span, loose=diagnostic.code.startswith("LD0"))


def _note_span(note: Note, source: Source) -> Span:
    assert note.path is not None
    return source.locate(note.path, Place.KEY)


def _position(source: Source, span: Span) -> str:
    return f"{clean(source.file)}:{span.line}:{span.column}"


def _github(diagnostic: Diagnostic, source: Source) -> str:
    span = locate(diagnostic, source)
    fields = {"file": source.file, "line": span.line, "col": span.column, "title": diagnostic.code}
    properties = ",".join(f"{key}={_property(str(value))}" for key, value in fields.items())
    text = diagnostic.message + (f"\nhelp: {diagnostic.help}" if diagnostic.help else "")
    return f"::{_COMMANDS[diagnostic.severity]} {properties}::{_data(text)}"


def _data(text: str) -> str:
    """Escape as GitHub's own toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

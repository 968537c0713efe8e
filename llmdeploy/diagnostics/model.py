"""A finding about llm.yaml, located by path and not yet by line.

A check names the path of a key or value; `render` turns it into a line and a column. So a check neither
knows nor cares how the file was written.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from llmdeploy.diagnostics.codes import CODES, Severity

__all__ = ["Diagnostic", "Note", "Path", "Place", "Severity", "has_errors"]

Path = tuple[str | int, ...]
"""Keys and list positions from the top of llm.yaml: `("models", "chat", "gpus")`. `()` is the file itself."""


class Place(StrEnum):
    """Which part of an entry is underlined."""

    VALUE = "value"
    KEY = "key"


class Note(Struct, frozen=True):
    """A further fact; with a path where the other party of a conflict stands."""

    text: str
    path: Path | None = None


class Diagnostic(Struct, frozen=True):
    """One finding.

    `message` says what is wrong, lower case, names in backticks; `help` what to write instead. A path whose
    last key is absent from the file is shown at the nearest mapping that is there. `line` and `column` (from 1) are set only by findings
    about text that has no path, such as a YAML syntax error.
    """

    code: str
    message: str
    path: Path = ()
    help: str | None = None
    notes: tuple[Note, ...] = ()
    place: Place = Place.VALUE
    line: int | None = None
    column: int | None = None

    @property
    def severity(self) -> Severity:
        return CODES[self.code].severity


def has_errors(diagnostics: tuple[Diagnostic, ...] | list[Diagnostic]) -> bool:
    return any(d.severity is Severity.ERROR for d in diagnostics)

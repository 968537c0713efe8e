"""What became of flags, values and variables that the catalog of flags cannot tell, as reviewed rows.

The catalog knows from which release on its engine's parser refuses a flag. Rows say what to write instead, and
why; they reach back before the first release of the catalog.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from msgspec import Struct

from llmdeploy.catalog.rows import rows


class Change(Struct, frozen=True):
    """One row. `name` is a flag with its dashes, or a variable; with `field` and `value` that value of it alone."""

    engine: str
    name: str
    source: str
    field: str | None = None
    """Of a flag that takes JSON: `method`."""
    value: str | None = None
    removed: str | None = None
    """The first release without it; None where the catalog knows, or nothing was removed."""
    deprecated: str | None = None
    until: str | None = None
    """The release that is announced to drop it."""
    use: str | None = None
    """The field of llm.yaml that says the same."""
    write: tuple[str, ...] = ()
    """What to write among `engine_args` (or `env`, for a variable) instead."""
    because: str | None = None

    @property
    def help(self) -> str:
        """What to write instead."""
        ways = [f"use `{self.use}`"] if self.use else []
        if self.write:
            ways.append("write " + " and ".join(f"`{each}`" for each in self.write))
        said = ", or ".join(ways) or "leave it out"
        return f"{said}: {self.because}" if self.because else said


def change(engine: str, name: str) -> Change | None:
    """Return what became of a flag or a variable as a whole."""
    return next((row for row in _changes(engine) if row.name == name and row.value is None), None)


def changed_values(engine: str, name: str) -> Iterable[Change]:
    """Return what became of single values of a flag."""
    return [row for row in _changes(engine) if row.name == name and row.value is not None]


@cache
def all_changes() -> tuple[Change, ...]:
    """Return every row, in the order of the file."""
    return tuple(Change(**{**row, "write": tuple(row.get("write", ()))}) for row in rows("flag_changes"))


@cache
def _changes(engine: str) -> tuple[Change, ...]:
    return tuple(row for row in all_changes() if row.engine == engine)

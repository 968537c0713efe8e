"""What the numbers of an engine's flags may be where neither its parser nor a class of its own says so, as reviewed rows."""

from __future__ import annotations

from functools import cache

from msgspec import Struct

from llmdeploy.catalog.rows import rows


class Bound(Struct, frozen=True):
    """One row. `name` is a flag with its dashes, or a variable; with `field`, that field of its JSON."""

    engine: str
    name: str
    source: str
    field: str = ""
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    multiple: int | None = None
    vendors: tuple[str, ...] = ()
    """Where it holds; empty: everywhere."""
    unless: str | None = None
    """A switch with which nobody looks."""
    because: str | None = None
    """Goes on a sentence about what to write."""


def bounds(engine: str, name: str) -> tuple[Bound, ...]:
    """Return the rows of a flag or a variable, those of its fields among them."""
    return tuple(row for row in all_bounds() if (row.engine, row.name) == (engine, name))


@cache
def all_bounds() -> tuple[Bound, ...]:
    """Return every row, in the order of the file."""
    return tuple(Bound(**{**row, "vendors": tuple(row.get("vendors", ()))}) for row in rows("flag_bounds"))

"""Constants of an engine's equation: rows that hold for a span of releases and for some cards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from llmdeploy.catalog.versions import within


class Row(Struct, frozen=True):
    """`where` are traits that the question must have (`nvlink`, `many`, `small`). `label` is how the value is known:
    S read in source, M measured in a log, F a fit to measurements, A an assumption."""

    name: str
    value: float
    label: str
    source: str
    since: str | None = None
    until: str | None = None
    where: tuple[str, ...] = ()


class Constants(Struct, frozen=True):
    """The rows of one engine; of those that hold, the first is taken."""

    rows: tuple[Row, ...]
    newest: str

    def row(self, name: str, version: str | None, traits: Iterable[str] = ()) -> Row:
        has = frozenset(traits)
        asked = version or self.newest
        for row in self.rows:
            if row.name == name and has.issuperset(row.where) and within(asked, row.since, row.until):
                return row
        raise LookupError(f"no constant `{name}` at {asked} for {sorted(has)}")

    def value(self, name: str, version: str | None, traits: Iterable[str] = ()) -> float:
        return self.row(name, version, traits).value

    def whole(self, name: str, version: str | None, traits: Iterable[str] = ()) -> int:
        return int(self.value(name, version, traits))


def constants(data: dict[str, Any]) -> Constants:
    """Read what an engine's memory.yaml holds."""
    sources = data["sources"]
    rows = tuple(
        Row(**{**row, "where": tuple(row.get("where", ())), "source": sources[row["source"]]})
        for row in data["constants"]
    )
    return Constants(rows, data["newest"])

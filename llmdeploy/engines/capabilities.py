"""`capabilities.yaml`: what an engine can do, for people. Nothing that compiles reads it, so it stands beside engine.yaml."""

from __future__ import annotations

from llmdeploy.engines.base import Capability
from llmdeploy.engines.table import read


def load(package: str) -> tuple[Capability, ...]:
    """Return the cells of every release, in the order of the file."""
    data = read(package, "capabilities.yaml")
    return tuple(
        Capability(
            name=name,
            value=row["value"],
            source=data["sources"][row["source"]],
            since=row.get("since"),
            until=row.get("until"),
            flags=tuple(row.get("flags", ())),
            values={place: tuple(values) for place, values in row.get("values", {}).items()},
        )
        for name, rows in data["capabilities"].items()
        for row in rows
    )

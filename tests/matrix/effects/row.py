"""What a row is, and how it changes an llm.yaml."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Row:
    """A change of several fields at once, from a base in which `given` holds. None takes a field away."""

    change: dict[str, Any]
    given: dict[str, Any] = field(default_factory=dict)


ONE_HOST = {"docker": {}, "compose": {}}
CLUSTER = {"kubernetes": {"routing": "none"}}


def below(prefix: str, rows: dict[str, Any]) -> dict[str, Any]:
    """Return rows whose names, and those within them, begin at `prefix`."""

    def placed(part: dict[str, Any]) -> dict[str, Any]:
        return {f"{prefix}.{name}": value for name, value in part.items()}

    return placed(
        {
            name: Row(placed(row.change), placed(row.given)) if isinstance(row, Row) else row
            for name, row in rows.items()
        }
    )


def path(name: str) -> Path:
    """Return the path that a dotted name spells."""
    return tuple(int(key) if key.isdigit() else key for key in name.split("."))


def edited(data: Any, changes: dict[str, Any]) -> Any:
    """Return a copy of `data` in which each dotted name has its value; None takes it away."""
    data = copy.deepcopy(data)
    for name, value in changes.items():
        *parents, last = path(name)
        at = data
        for key in parents:
            at = at.setdefault(key, {}) if isinstance(at, dict) else at[key]
        if value is None:
            del at[last]
        else:
            at[last] = copy.deepcopy(value)
    return data

"""The compiled JSON beside this file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import json


def rows(name: str) -> Any:
    """The content of NAME.json, read in a third of the standard library's time. Callers cache what they make of it."""
    return json.decode(Path(__file__).with_name(f"{name}.json").read_bytes())


def by_id(name: str) -> dict[str, dict[str, Any]]:
    """The rows of NAME.json by their ids of the Hub, in lower case: no two differ by it."""
    return {row["id"].lower(): row for row in rows(name)}


def lineage(hub_id: str, known: Mapping[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """The row of an id, and before it those that it is `like`, the one that states everything first; [] for none."""
    found: list[dict[str, Any]] = []
    row = known.get(hub_id.lower())
    while row is not None:
        found.insert(0, row)
        row = known[row["like"].lower()] if "like" in row else None
    return found


def sources(lineage: list[dict[str, Any]]) -> str:
    """What says so: first of what a checkpoint is like, then of what differs."""
    return "; ".join(row["source"] if "like" not in row else f"{row['id']}: {row['source']}" for row in lineage)

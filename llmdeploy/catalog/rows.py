"""The compiled JSON beside this file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from msgspec import json

Row = dict[str, Any]


def rows(name: str) -> Any:
    """The content of NAME.json, in a third of the time that the standard library takes. Callers cache what they make of it."""
    return json.decode(_file(name).read_bytes())


def lineage(name: str, hub_id: str) -> list[Row]:
    """The row of an id in NAME.json, and before it those that it is `like`: first the one that states everything.

    [] where there is none. Case does not matter: the Hub has no two ids that differ by it.
    """
    row = _row(name, hub_id)
    if row is None:
        return []
    return [*(lineage(name, row["like"]) if "like" in row else []), row]


def sources(lineage: list[Row]) -> str:
    """What says so: first of what a checkpoint is like, then of what differs."""
    return "; ".join(f"{row['id']}: {row['source']}" if "like" in row else row["source"] for row in lineage)


def _row(name: str, hub_id: str) -> Row | None:
    """Find the one line of an id, which begins with it: a spec names a few models, and the catalog knows hundreds."""
    text, lowered = _text(name)
    start = lowered.find(b'\n{"id":%s,' % json.encode(hub_id.lower())) if hub_id.isascii() else -1
    if start < 0:
        return None
    found: Row = json.decode(text[start : text.index(b"\n", start + 1)].rstrip(b","))
    return found


@cache
def _text(name: str) -> tuple[bytes, bytes]:
    text = _file(name).read_bytes()
    return text, text.lower()


def _file(name: str) -> Path:
    return Path(__file__).with_name(f"{name}.json")

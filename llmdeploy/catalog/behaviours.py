"""What clients notice when a model moves to another engine, although every setting was carried over."""

from __future__ import annotations

from collections.abc import Container

from msgspec import Struct

from llmdeploy.catalog.rows import rows


class Behaviour(Struct, frozen=True):
    what: str
    text: str
    source: str
    field: str | None
    """The field that it is about."""


def behaviours(before: str, after: str, fields: Container[str]) -> list[Behaviour]:
    """Return what changes between two engines for a model that states these fields."""
    return [
        Behaviour(row["what"], row["text"], row["source"], row["field"])
        for row in rows("behaviours")
        if row["from"] == before and after in row["to"] and (row["field"] is None or row["field"] in fields)
    ]

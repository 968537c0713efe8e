"""Flags whose default matters to who does not give them."""

from __future__ import annotations

from functools import cache

from msgspec import Struct

from llmdeploy.catalog.rows import rows


class Telling(Struct, frozen=True):
    engine: str
    flag: str
    field: str | None
    """What states it in llm.yaml."""
    why: str
    source: str


@cache
def telling_defaults() -> tuple[Telling, ...]:
    return tuple(Telling(**row) for row in rows("telling_defaults"))

"""The comparison table that the course drew in 2025, and which of its cells no longer hold. See scripts/catalogs/course_table.yaml."""

from __future__ import annotations

from functools import cache
from typing import Literal

from msgspec import Struct

from llmdeploy.catalog.rows import rows


class Claim(Struct, frozen=True):
    """One cell: what the course said of an engine, and whether that is so."""

    capability: str
    engine: str
    said: str
    verdict: Literal["holds", "outdated", "wrong", "imprecise"]
    source: str
    version: str | None = None
    """The first release for which it does not hold."""
    by: str | None = None
    """The oldest release that was seen where it did not hold."""
    date: str | None = None
    """The day from which it does not hold."""
    why: str | None = None

    @property
    def holds(self) -> bool:
        return self.verdict == "holds"


@cache
def claims() -> tuple[Claim, ...]:
    return tuple(Claim(**row) for row in rows("course_table"))

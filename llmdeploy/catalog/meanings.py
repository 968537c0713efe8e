"""What one engine's flag is called by another, and how its value is written there.

Neutral settings are not here: each engine's own table spells those.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal

from msgspec import Struct, field

from llmdeploy.catalog.rows import rows


class Spelling(Struct, frozen=True):
    """How one engine says it. A value of the engine's is the meaning's, times `times`, plus `plus`."""

    name: str
    """A flag with its dashes, or a variable."""
    values: Mapping[str, str] = field(default_factory=dict)
    """Meaning -> the engine's word; empty where every value is said alike."""
    opposite: bool = False
    times: int = 1
    plus: int = 0
    form: Literal["list", "comma"] = "list"
    also: Mapping[str, Any] = field(default_factory=dict)
    """What must stand beside it."""
    by_hand: str | None = None
    """Set where no value can be carried over: what to write."""


class Meaning(Struct, frozen=True):
    """One thing that engines can be told."""

    name: str
    meaning: str
    spelled: Mapping[str, Spelling]
    lacking: Mapping[str, str]
    """Engine -> why it has no counterpart."""
    differs: Mapping[str, str]
    """What changes although the value is carried over, by the engine that is one of the two; `any`: always."""
    source: str

    def difference(self, before: str, after: str) -> str | None:
        """Return what changes between two engines although the value is carried over."""
        return next((text for one, text in self.differs.items() if one in ("any", before, after)), None)


def same(engine: str, flag: str) -> Mapping[str, str]:
    """Return what other engines call a flag: engine -> its flag, or variable. Empty where nobody knows."""
    found: dict[str, str] = {}
    for meaning in meanings_of(engine, flag):
        for other, spelling in meaning.spelled.items():
            if other != engine:
                found.setdefault(other, spelling.name)
    return found


def meanings_of(engine: str, name: str) -> tuple[Meaning, ...]:
    """Return what a flag or variable may mean: the first whose value fits. Dashes and case do not matter."""
    return _by_name().get((engine, folded(name)), ())


@cache
def meanings() -> tuple[Meaning, ...]:
    return tuple(map(_meaning, rows("meanings")))


@cache
def _by_name() -> Mapping[tuple[str, str], tuple[Meaning, ...]]:
    found: dict[tuple[str, str], tuple[Meaning, ...]] = {}
    for engine, name, meaning in _spellings():
        found[engine, name] = (*found.get((engine, name), ()), meaning)
    return found


def _spellings() -> Iterator[tuple[str, str, Meaning]]:
    for meaning in meanings():
        for engine, spelling in meaning.spelled.items():
            yield engine, folded(spelling.name), meaning


def folded(name: str) -> str:
    """Return a name without what makes no difference: TGI's flag and its variable are one: `--max-batch-size`, MAX_BATCH_SIZE."""
    return name.lstrip("-").replace("-", "_").lower()


def _meaning(row: dict[str, Any]) -> Meaning:
    spelled = {engine: Spelling(**words) for engine, words in row["spelled"].items()}
    return Meaning(**{**row, "spelled": spelled})

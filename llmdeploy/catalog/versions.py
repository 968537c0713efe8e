"""Releases in their order: `0.9` comes before `0.10`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

_NUMBERS = r"[0-9]{1,9}(\.[0-9]{1,9})*"
_VERSION = _NUMBERS + r"(\.?(post|rc)[0-9]{1,9})?"


@cache
def order(version: str) -> tuple[int, ...]:
    """Return a key to sort by. A candidate and a post-release stand where their release does."""
    numbers = re.match(_NUMBERS, version)
    return tuple(map(int, numbers[0].split("."))) if numbers else ()


def within(version: str, since: str | None, until: str | None) -> bool:
    """Tell whether since <= version < until, where each may be open."""
    this = order(version)
    return (since is None or order(since) <= this) and (until is None or this < order(until))


def judged_by(version: str, known: Iterable[str], line: int) -> str | None:
    """Return the known release that has the flags of this one, or None.

    Releases whose first `line` numbers are equal differ in fixes, not in flags: the last known one before it
    speaks for a version, else the first after it.
    """
    this = order(version)
    # Three numbers: tags of images have them.
    if re.fullmatch(_VERSION, version) is None or len(this) < 3:
        return None
    kin = sorted((each for each in known if order(each)[:line] == this[:line]), key=order)
    before = [each for each in kin if order(each) <= this]
    return before[-1] if before else kin[0] if kin else None

"""Which release's flags a version is judged by."""

from __future__ import annotations

import re
from collections.abc import Iterable

_VERSION = re.compile(r"[0-9]+(\.[0-9]+)+(\.?(post|rc)[0-9]+)?")


def order(version: str) -> tuple[int, ...]:
    """Return a key to sort versions by; a post release follows its own, a candidate too: it has its flags."""
    return tuple(int(number) for number in re.findall(r"[0-9]{1,9}", version))


def judged_by(version: str, known: Iterable[str], line: int) -> str | None:
    """Return the known release that has the flags of this one, or None.

    Releases whose first `line` numbers are equal differ in fixes, not in flags: the last known one before it
    speaks for a version, else the first after it.
    """
    if _VERSION.fullmatch(version) is None:
        return None
    this = order(version)
    kin = sorted((each for each in known if order(each)[:line] == this[:line]), key=order)
    before = [each for each in kin if order(each) <= this]
    return before[-1] if before else kin[0] if kin else None

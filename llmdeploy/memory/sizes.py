"""Sizes as people read them. One rule for messages, plans and ledgers, so that one shortage is one figure."""

from __future__ import annotations

_SMALL_GIB = 0.1


def figure(gib: float) -> str:
    """Return GiB with two decimals, as the engines print them."""
    return f"{gib:.2f}"


def size(gib: float) -> str:
    """Return a size with its unit: what is less than a tenth of a GiB in whole MiB, and something is 1 at least."""
    if 0 < gib < _SMALL_GIB:
        return f"{max(round(gib * 1024), 1)} MiB"
    return f"{figure(gib)} GiB"

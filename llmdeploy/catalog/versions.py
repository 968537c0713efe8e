"""Releases in their order: `0.9` comes before `0.10`."""

from __future__ import annotations


def order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def within(version: str, since: str | None, until: str | None) -> bool:
    """Tell whether since <= version < until, where each may be open."""
    this = order(version)
    return (since is None or order(since) <= this) and (until is None or this < order(until))

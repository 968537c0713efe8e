"""A finding about one object."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """`object` is "Deployment/name"; `path` leads to the field; positions in lists are decimal text."""

    object: str
    path: tuple[str, ...]
    message: str

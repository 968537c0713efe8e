"""A mapping whose values are found out when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

V = TypeVar("V")


class Lazy(Mapping[str, V]):
    """Headers of weights are read for the checks that need them, and for none where an error comes first.

    A key whose value turns out to be None is not there.
    """

    def __init__(self, readers: Mapping[str, Callable[[], V | None]]) -> None:
        self._readers = readers
        self._known: dict[str, V | None] = {}

    def __getitem__(self, key: str) -> V:
        if key not in self._known:
            self._known[key] = self._readers[key]()
        value = self._known[key]
        if value is None:
            raise KeyError(key)
        return value

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._readers if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

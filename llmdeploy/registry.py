"""Engines and targets by name: the built-in ones, and those of other packages by entry point.

Nothing is imported before it is asked for, and installed packages are only searched for a name that is not
built in: a build of one model pays for one engine.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, TypeVar

from llmdeploy.engines.base import Engine
from llmdeploy.targets.base import Target

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """`built_in` is name -> "module:attribute"; `group` the entry-point group of further ones."""

    def __init__(self, group: str, built_in: Mapping[str, str]) -> None:
        self.built_in = built_in
        self._group = group
        self._loaded: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.built_in
        yield from (name for name in _entry_points(self._group) if name not in self.built_in)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _load(self, name: str) -> T:
        if name in self.built_in:
            module, _, attribute = self.built_in[name].partition(":")
            loaded: T = getattr(importlib.import_module(module), attribute)
            return loaded
        further: T = _entry_points(self._group)[name].load()
        return further


@cache
def _entry_points(group: str) -> dict[str, Any]:
    from importlib.metadata import entry_points  # 15 ms that only a name from outside pays

    return {point.name: point for point in entry_points(group=group)}


ENGINES: Registry[Engine] = Registry(
    "llmdeploy.engines",
    {name: f"llmdeploy.engines.{name}:ENGINE" for name in ("vllm", "sglang", "tgi", "openllm")},
)
TARGETS: Registry[Target] = Registry(
    "llmdeploy.targets",
    {name: f"llmdeploy.targets.{name}:TARGET" for name in ("docker", "compose", "kubernetes", "helm")},
)

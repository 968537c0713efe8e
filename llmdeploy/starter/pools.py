"""Pools of `gpus`, from the cards of a machine or from ids of the catalog."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from llmdeploy.catalog import Gpu
from llmdeploy.facts.machine import Card

SMALLEST_GIB = 4
"""A card with less drives a display."""

CPU_MEMORY_GIB = 8


class UndeclarableError(ValueError):
    """A card that the catalog lacks and whose tool does not say enough to declare it."""


class Pool(Struct, frozen=True):
    """One entry of `gpus`. `memory_gib` and `capability` are of one GPU; `free` how many there are to use."""

    name: str
    entry: dict[str, Any]
    vendor: str
    memory_gib: float
    capability: str | None
    free: int


def of_catalog(gpu: Gpu, count: int) -> Pool:
    if gpu.vendor == "cpu":
        memory = {"type": gpu.id, "memory": f"{CPU_MEMORY_GIB}GiB"}
        return Pool(gpu.id, memory, gpu.vendor, CPU_MEMORY_GIB, None, 1)
    entry = {"type": gpu.id, "count": count}
    return Pool(gpu.id, entry, gpu.vendor, gpu.memory_gib or 0, gpu.capability, count)


def of_machine(cards: Iterable[Card]) -> Iterator[Pool]:
    """Yield one pool for each kind of card. Raises UndeclarableError."""
    everything = list(cards)
    usable = [card for card in everything if card.memory_gib is None or card.memory_gib >= SMALLEST_GIB]
    kinds: dict[str, list[Card]] = defaultdict(list)
    for card in usable:
        kinds[card.known.id if card.known else card.name].append(card)
    for alike in kinds.values():
        pool = _declared(alike[0], len(alike))
        indexes = [card.index for card in alike]
        if len(kinds) > 1 or len(usable) < len(everything):
            pool.entry["devices"] = indexes
        if len(usable) < len(everything):
            # The cards that are left out have their indexes too, and `count` is what the whole node has.
            pool.entry["count"] = max(len(alike), indexes[-1] + 1)
        yield pool


def _declared(card: Card, count: int) -> Pool:
    if card.known:
        return of_catalog(card.known, count)
    facts = {"memory": card.memory_gib and f"{card.memory_gib}GiB"}
    if card.vendor == "nvidia":
        facts["capability"] = card.capability
    absent = [key for key, value in facts.items() if value is None]
    if absent:
        unknown = " and ".join(absent)
        raise UndeclarableError(f"`{card.name}` is not in the catalog, and its {unknown} cannot be found out")
    entry = {"vendor": card.vendor, **facts, "count": count}
    return Pool(_label(card.name), entry, card.vendor, card.memory_gib or 0, card.capability, count)


def _label(name: str) -> str:
    """Return a DNS label: `NVIDIA GeForce RTX 2080 Ti` becomes `rtx-2080-ti`."""
    words = re.findall(r"[a-z0-9]+", name.lower())
    kept = [word for word in words if word not in ("nvidia", "geforce", "amd")]
    return "-".join(kept or words)[:40].strip("-") or "gpu"

"""What the rows of an engine's constants ask of a card and of how a replica is spread."""

from __future__ import annotations

import re

from llmdeploy.memory.model import Card, Split

_NVLINK = (
    "a100",
    "a800",
    "h100",
    "h800",
    "h20",
    "h200",
    "b200",
    "b300",
    "gb200",
    "gb300",
    "mi300",
    "mi325",
    "mi355",
)
"""Data centres' cards that are joined by NVLink or xGMI, and have workspaces for it."""

_VENDOR = r"^(?:nvidia |amd |instinct )+"
"""Drivers' names of cards begin with it ("NVIDIA H100 80GB HBM3"), the catalog's ids do not."""


def traits(card: Card, split: Split) -> frozenset[str]:
    """Name what holds: `cpu`, a node without GPUs; `fabric`; `many` and `four` for tensor parallelism over 2 and over 4 or more; `stages`; `large` and
    `huge`, as vLLM's get_batch_defaults divides cards; `amd`, or `sm9`, the major compute capability."""
    name = re.sub(_VENDOR, "", (card.id or card.name or "").lower())
    slow = name.startswith(("a100", "a800", "gb10"))
    found = {
        "cpu": card.vendor == "cpu",
        "fabric": name.startswith(_NVLINK) and "pcie" not in name,
        "many": split.tensor > 1,
        "four": split.tensor > 2,
        "stages": split.pipeline > 1 and split.tensor == 1,
        "large": card.memory_gib >= 70 and not slow,
        "huge": card.memory_gib >= 160,
        "amd": card.vendor == "amd",
        f"sm{(card.capability or '').partition('.')[0]}": card.vendor == "nvidia",
    }
    return frozenset(name for name, holds in found.items() if holds)

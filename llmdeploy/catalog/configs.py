"""What the config.json of well-known checkpoints states, as much of it as a ledger of memory reads."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from msgspec import Struct

from llmdeploy.catalog.rows import lineage, sources


class Stated(Struct, frozen=True):
    """Where a field stands under `text_config` in the original, it stands here without."""

    id: str
    source: str
    config: Mapping[str, Any]


@cache
def config(hub_id: str) -> Stated | None:
    """Return the config of a Hub id; case does not matter."""
    found = lineage("configs", hub_id)
    if not found:
        return None
    stated = {key: value for row in found for key, value in row["config"].items()}
    return Stated(found[-1]["id"], sources(found), stated)

"""What the config.json of well-known checkpoints states, as much of it as a ledger of memory reads."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct, json


class Stated(Struct, frozen=True):
    """Where a field stands under `text_config` in the original, it stands here without."""

    id: str
    source: str
    config: Mapping[str, Any]


def config(hub_id: str) -> Stated | None:
    """Return the config of a Hub id; case does not matter."""
    row = _rows().get(hub_id.lower())
    return Stated(**row) if row is not None else None


@cache
def _rows() -> dict[str, dict[str, Any]]:
    """The largest of the catalogs: msgspec reads it in a millisecond."""
    rows = json.decode(Path(__file__).with_name("configs.json").read_bytes())
    return {row["id"].lower(): row for row in rows}

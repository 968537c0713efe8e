"""What every part of scripts/gpu is told."""

from __future__ import annotations

import time
from pathlib import Path

from msgspec import Struct


class Asked(Struct, frozen=True):
    """`engine` holds `vllm` and `python`; `work` is written to, `out` has what comes of it; `end` is monotonic."""

    engine: Path
    out: Path
    work: Path
    gpu: str
    version: str
    without: str | None
    end: float

    def left_s(self) -> float:
        return self.end - time.monotonic()

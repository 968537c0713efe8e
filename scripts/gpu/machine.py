"""What the boots ran on, as it goes into every row: the card and its driver, and the versions."""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

# What a point of scripts/accuracy calls a row of the catalog.
_CARDS = {"h200-sxm-141gb": "H200-141GB"}


def card(gpu: str) -> dict[str, str]:
    return {"gpu": _CARDS.get(gpu, gpu)}


def text(engine: Path, version: str, without: str | None) -> str:
    """Ask the driver for the card, and the engine's Python for the versions. `without` is what was left out."""
    query = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
    program = "import torch, transformers; print(f'torch {torch.__version__}, transformers {transformers.__version__}')"
    versions = _output((str(engine / "python"), "-c", program))
    parts = (
        _output(query) or platform.machine(),
        f"vLLM {version}, {versions}",
        "dummy weights",
        f"without {without}" if without else "",
    )
    return "; ".join(filter(None, parts))


def _output(argv: tuple[str, ...]) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=120).stdout.strip()
    except OSError:
        return ""

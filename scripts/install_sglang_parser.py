#!/usr/bin/env python3
"""Install SGLang 0.5.23 into .tools/sglang-0.5.23: its own parser, its configuration check, and a server.

It serves on the CPU, for tests alone: scripts/sglang_cpu_shim stands in for kernels that no CPU build has.
Set TORCH_INDEX_URL to an index with PyTorch's CPU builds to save some gigabytes.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from installing import ROOT, UnavailableError, engine_venv, say

SHIM = ROOT / "scripts/sglang_cpu_shim"


def lay_shim(home: Path) -> None:
    """Lay the stand-ins over the installed packages; each says in its docstring what it is for.

    Where Python looks anyway: SGLang starts processes of its own, and a PYTHONPATH would have to reach them.
    """
    packages = next(home.glob("lib/python3*/site-packages"))
    for source in SHIM.rglob("*.py"):
        target = packages / source.relative_to(SHIM)
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(source, target)


def main() -> int:
    try:
        lay_shim(engine_venv("sglang-0.5.23", "sglang-0.5.23.txt"))
    except UnavailableError as failure:
        say(f"cannot have sglang-0.5.23: {failure}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Holds vLLM's EngineCore before it touches the GPU, until the card is its own. A plugin, as vLLM loads them.

A boot imports for half a minute, in two processes. On a lent GPU that is time that others measure in; so several are
begun at once, and each waits here, with all its imports done and no memory of the card taken.
"""

import multiprocessing
import os
import time
from pathlib import Path

_PERIOD_S = 0.05


def wait() -> None:
    """Say that it waits, beside the gate's file, until that file is there."""
    gate = os.environ.get("LLMDEPLOY_GPU_GATE")
    if gate is None or not multiprocessing.current_process().name.startswith("EngineCore"):
        return
    Path(f"{gate}.reached").touch()
    while not Path(gate).exists():
        time.sleep(_PERIOD_S)

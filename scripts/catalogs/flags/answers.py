"""A stdout of our own: libraries, and the processes that they start, print while they are imported."""

from __future__ import annotations

import os
from typing import TextIO


def stdout_alone() -> TextIO:
    """Return what was stdout, and let everybody else's stdout be stderr from now on."""
    mine = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return mine

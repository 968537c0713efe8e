"""Stand-ins for what a release imports on the way to its parser and asks nothing there: kernels, compilers."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from unittest.mock import MagicMock


def stand_in(names: Iterable[str]) -> None:
    """Take the modules of these names as imported, each answering anything."""
    for name in names:
        sys.modules[name] = MagicMock(name=name, __spec__=None, __path__=[])

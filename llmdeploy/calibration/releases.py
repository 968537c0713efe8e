"""Which releases of an engine a start-up log speaks for."""

from __future__ import annotations

from llmdeploy.engines.base import calibration_of
from llmdeploy.registry import ENGINES


def release_of(engine: str, version: str | None) -> str:
    """Return the part of a version within which this engine's memory does not change."""
    return calibration_of(ENGINES[engine], version).release(version)

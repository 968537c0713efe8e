"""What of a comparison is worth keeping, as corrections for the plans to come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from llmdeploy.calibration.compare import Row
from llmdeploy.memory.corrections import SHIFTED, Correction, release

_DIGITS = 3
"""What an engine prints has two; a third keeps the rounding out."""
_LOG = 12
"""Digits of the log's hash that tell it from other logs."""


def correction(
    rows: Sequence[Row],
    *,
    engine: str,
    version: str,
    gpu: str,
    tensor: int,
    model: str,
    date: str,
    sha256: str,
) -> Correction | None:
    """Return what the rows come to; None where the log has no term of its own to offer."""
    known = {row.term: row for row in rows if row.difference is not None}
    shifts = {term: round(known[term].difference or 0.0, _DIGITS) for term in SHIFTED if term in known}
    factor = None
    if "weights" in known and (share := known["weights"].share) is not None:
        factor = min(max(round(1 + share, 4), 0.1), 10.0)
    if not shifts and factor is None:
        return None
    return Correction(
        engine, release(engine, version), gpu, tensor, model, date, sha256[:_LOG], weights=factor, **shifts
    )  # fmt: skip


def kept(before: Iterable[Correction], new: Correction) -> tuple[Correction, ...]:
    """Return the corrections with the new one, which replaces one of the same kind of start."""
    return (*(each for each in before if each.key != new.key), new)

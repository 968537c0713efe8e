"""What of a comparison is worth keeping, as corrections for the plans to come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import structs

from llmdeploy.calibration.compare import NOISE_GIB, Row
from llmdeploy.calibration.releases import release_of
from llmdeploy.memory.corrections import FACTORS, SHIFTED, Correction
from llmdeploy.startlog.model import Boot

_DIGITS = 3
"""What an engine prints has two; a third keeps the rounding out."""
_FAR = 2.0
"""Times: further off is activation of another batch, which a GPU of another kind has by default (vLLM 0.33,
engine/arg_utils.py, get_batch_defaults)."""
_STEPS = ("max_num_seqs", "max_num_batched_tokens", "max_running_requests", "chunked_prefill_size")
_LOG = 12
"""Digits of the log's hash that tell it from other logs."""


def correction(
    rows: Sequence[Row],
    *,
    engine: str,
    version: str,
    gpu: str,
    tensor: int,
    pipeline: int,
    model: str,
    date: str,
    sha256: str,
) -> Correction | None:
    """Return what the rows come to; None where the log has no term of its own to offer.

    Raises msgspec.ValidationError for what could not be read again.
    """
    known = {row.term: row for row in rows if row.difference is not None}
    shifts = {term: round(known[term].difference or 0.0, _DIGITS) for term in SHIFTED if term in known}
    factor = None
    if "weights" in known and (share := known["weights"].share) is not None:
        factor = round(1 + share, 4)
        if not FACTORS[0] <= factor <= FACTORS[1] and abs(known["weights"].difference or 0.0) < NOISE_GIB:
            factor = None  # a model so small that what the log rounds is most of it
    if not shifts and factor is None:
        return None
    found = Correction(
        engine,
        release_of(engine, version),
        gpu,
        tensor,
        model,
        date,
        sha256[:_LOG],
        weights=factor,
        pipeline=pipeline,
        **shifts,
    )  # fmt: skip
    # The bounds of the record are those of its reader; only a conversion minds them.
    return msgspec.convert(structs.asdict(found), Correction)


def unclear(rows: Sequence[Row], boot: Boot) -> str | None:
    """Return why nobody knows what a log's activation is of: it is far off, and its defaults are those of an unnamed GPU."""
    row = next((row for row in rows if row.term == "activation"), None)
    share = row.share if row is not None else None
    stated = any(name in boot.settings for name in _STEPS) or boot.measures.keys() & {"batch", "flash"}
    if share is None or stated or boot.gpu is not None or 1 / _FAR <= 1 + share <= _FAR:
        return None
    return (
        f"activation is {1 + share:.1f} times what is predicted, and the log says neither on which GPU the engine ran nor with "
        "how many sequences and tokens of a step"
    )


def kept(before: Iterable[Correction], new: Correction) -> tuple[Correction, ...]:
    """Return the corrections with the new one, which replaces one of the same kind of start."""
    return (*(each for each in before if each.key != new.key), new)

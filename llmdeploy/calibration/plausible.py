"""Figures of a log that no start can have: they are named, and neither compared nor kept."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from llmdeploy.calibration.compare import SIZES, printed
from llmdeploy.memory.corrections import FACTORS, LARGEST_GIB
from llmdeploy.memory.model import Ledger
from llmdeploy.plan.model import Service
from llmdeploy.startlog.model import Boot
from llmdeploy.startlog.terms import SOURCES

_SLACK_GIB = 1.0
"""What is a difference of two readings may come out below nothing, where another process frees memory meanwhile."""
_MARGIN = 1.05
"""What a driver reports of one card and another of its kind, see `mismatch.CARD`, with room for rounding."""
_LONGEST_S = 7 * 86400.0
_GIB = 2.0**30
# Terms by what their numbers are. A KV cache below nothing is how vLLM says that there is no room for it.
_TAKEN = ("weights", "graphs", "graphs_estimated", "cuda_graphs", "k", "v", "state", "state_ssm")
_READ = (
    "activation",
    "peak_activation",
    "nontorch",
    "consumed",
    "peak",
    "initial",
    "free",
    "after",
    "requested",
)
_SECONDS = ("load_s", "init_s")
_COUNTED = ("kv_tokens", "pool_tokens", "blocks", "concurrency")


SUM = "sum"
"""Of a doubt: what the log has on one GPU at once."""


class Doubt(Struct, frozen=True):
    """A figure that is left out. `quote` is what the log says, "" where it follows from several of its lines.

    Of a SUM nothing is left out, for any of its parts may be wrong; `quote` are the parts.
    """

    term: str
    value: float
    why: str
    quote: str = ""


def plausible(service: Service, ledger: Ledger, boot: Boot) -> tuple[Boot, list[Doubt]]:
    """Return the boot without the figures that cannot be, and without what was made of them."""
    most = _most(service, boot)
    doubts: dict[str, Doubt] = {}
    for term, by_rank in boot.measures.items():
        for value in by_rank.values():
            why = _why(term, value, most) or _of_weights(term, value, ledger)
            if why is not None:
                doubts.setdefault(term, Doubt(term, value, why, _quote(boot, term)))
    follow = {term for term, parts in SOURCES.items() if not doubts.keys().isdisjoint(parts)}
    left = {term: value for term, value in boot.measures.items() if term not in doubts and term not in follow}
    return replace(boot, measures=left), list(_told(doubts, boot.measures))


def overfull(service: Service, boot: Boot) -> Doubt | None:
    """Return the sum of what is on one GPU at once, where it is more than a GPU has: who knows which part is wrong?"""
    found = {term: values for term, _ in SIZES if (values := printed(service, boot, term))}
    most = _most(service, boot)
    # What only some ranks print is at least that of the least.
    sums = [
        {term: values.get(rank, min(values.values())) for term, values in found.items()}
        for rank in {rank for values in found.values() for rank in values}
    ]
    fullest = max(sums, key=lambda parts: sum(parts.values()), default={})
    total = sum(fullest.values())
    if not service.gpus.count or total <= most * _MARGIN:
        return None
    parts = ", ".join(f"{term} {value:.2f}" for term, value in fullest.items())
    return Doubt(SUM, round(total, 2), f"a GPU has {most:.2f} GiB", parts)


def _told(doubts: Mapping[str, Doubt], measures: Mapping[str, Mapping[str, float]]) -> Iterator[Doubt]:
    """Yield what was printed; what follows from it goes without saying."""
    for term, doubt in doubts.items():
        if doubts.keys().isdisjoint(SOURCES.get(term, ())):
            yield doubt


def _most(service: Service, boot: Boot) -> float:
    """Return the memory of the larger of two GPUs, the plan's and the log's; a CPU's is the host's."""
    planned = service.gpus.memory_gib if service.gpus.count else None
    total = boot.largest("total")
    if planned is None:
        return LARGEST_GIB
    return max(planned, total) if total is not None and total <= LARGEST_GIB else planned


def _why(term: str, value: float, most: float) -> str | None:
    least, upper, above = _bounds(term, most)
    if math.isnan(value):
        return "it is no number"
    if math.isinf(value) and math.isinf(upper):
        return "no figure is without end"
    if value < least:
        return "it cannot be less than nothing"
    if term in _COUNTED and value == 0:
        return "an engine that holds nothing does not start"
    return None if value <= upper else above


def _bounds(term: str, most: float) -> tuple[float, float, str]:
    """Return the least, the most and what is wrong with more."""
    more, upper = f"a GPU has {most:.2f} GiB", most * _MARGIN
    if term in _TAKEN:
        return 0.0, upper, more
    if term in _READ:
        return -_SLACK_GIB, upper, more
    if term == "kv":
        return -upper, upper, more
    if term == "total":
        return 0.0, LARGEST_GIB, "no GPU has so much"
    if term in _SECONDS:
        return 0.0, _LONGEST_S, "no start takes a week"
    if term in _COUNTED:
        # A token takes a byte at the very least, and a block or a request is of one token or more.
        return 0.0, upper * _GIB, f"{more}, and a token takes more than a byte"
    return -float("inf"), float("inf"), ""


def _of_weights(term: str, value: float, ledger: Ledger) -> str | None:
    """Weights are a factor of what is predicted, and beyond bounds they are those of something else."""
    predicted = max((rank.weights_gib for rank in ledger.ranks), default=0.0)
    if term != "weights" or predicted < _SLACK_GIB or FACTORS[0] <= value / predicted <= FACTORS[1]:
        return None
    return f"{predicted:.2f} GiB are predicted: it is another checkpoint, or a misprint"


def _quote(boot: Boot, term: str) -> str:
    return boot.quotes.get(term) or next(
        (boot.quotes[part] for part in SOURCES.get(term, ()) if part in boot.quotes), ""
    )

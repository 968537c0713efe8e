"""Term by term: what the ledger says, what the engine printed, and which of them is off."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping

from msgspec import Struct

from llmdeploy.calibration.words import HINTS
from llmdeploy.memory.model import Ledger
from llmdeploy.plan.model import Service
from llmdeploy.startlog.model import Boot

NOISE = 0.02
"""What two starts of one engine differ by, relative; below that nothing is off."""
NOISE_GIB = 0.1

Span = tuple[float, float]
"""The least and the most over the GPUs of one replica."""


class Row(Struct, frozen=True):
    """One term. `difference` is measured less predicted, on the GPU that decides: None where either is unknown."""

    term: str
    unit: str
    predicted: Span | None
    measured: Span | None
    difference: float | None = None
    off: bool = False
    hint: str | None = None
    compared: bool = True
    """False: the log was made with a setting under which the prediction says nothing of it."""

    @property
    def share(self) -> float | None:
        """The difference in parts of the prediction."""
        if self.difference is None or self.predicted is None:
            return None
        base = abs(self.predicted[1])
        return self.difference / base if base else None


# Which GPU decides: the fullest, or the one with the least left.
SIZES = (("weights", max), ("activation", max), ("nontorch", max), ("cuda_graphs", max), ("kv", min))


def compare(service: Service, ledger: Ledger, boot: Boot, spoiled: Container[str] = ()) -> list[Row]:
    """Return every term, whether it was printed or not, in the order of the equation.

    What is `spoiled` by a setting of the log is shown, and no term is blamed for it.
    """
    rows = [*_sizes(service, ledger, boot), *_counts(ledger, boot), _seconds(service, boot)]
    return list(_explained(_apart(row) if row.term in spoiled else row for row in rows))


def _apart(row: Row) -> Row:
    return Row(row.term, row.unit, row.predicted, row.measured, compared=False)


def _sizes(service: Service, ledger: Ledger, boot: Boot) -> Iterator[Row]:
    for term, decides in SIZES:
        said = _span(getattr(rank, f"{term}_gib") for rank in ledger.ranks)
        seen = _span(printed(service, boot, term).values())
        if said is None or seen is None:
            yield Row(term, "GiB", said, seen)
            continue
        difference = decides(seen) - decides(said)
        off = abs(difference) >= max(NOISE_GIB, NOISE * abs(decides(said)))
        yield Row(term, "GiB", said, seen, difference, off)


def printed(service: Service, boot: Boot, term: str) -> Mapping[str, float]:
    """Return a term of the ledger as the log has it, by rank."""
    found = boot.measures.get(term, {})
    if boot.engine != "sglang":
        return found
    if term == "nontorch" and service.gpus.memory_gib is not None:
        # It prints what is free before it loads, and not of how much.
        free = boot.measures.get("free", {})
        return {rank: service.gpus.memory_gib - value for rank, value in free.items()}
    if term == "kv":
        states = boot.measures.get("state", {})
        return {rank: value + states.get(rank, 0.0) for rank, value in found.items()}
    return found


def _counts(ledger: Ledger, boot: Boot) -> Iterator[Row]:
    pairs = (
        ("KV tokens", "tokens", ledger.kv_tokens, "kv_tokens"),
        ("requests at full length", "×", ledger.requests_at_context, "concurrency"),
    )
    for term, unit, said, printed in pairs:
        seen = _measured(boot, printed)
        span = None if said is None else (float(said), float(said))
        if span is None or seen is None:
            yield Row(term, unit, span, seen)
            continue
        difference = seen[0] - span[0]
        yield Row(term, unit, span, seen, difference, abs(difference) >= NOISE * span[0])


def _seconds(service: Service, boot: Boot) -> Row:
    """From the first weight to the last graph; what is predicted is a limit and no estimate."""
    parts = [boot.largest(term) for term in ("load_s", "init_s")]
    took = sum(part for part in parts if part is not None)
    seen = (took, took) if any(part is not None for part in parts) else None
    limit = float(service.ready_timeout_s)
    off = seen is not None and took > limit
    return Row("start", "s", (0.0, limit), seen, took - limit if off else None, off)


def _explained(rows: Iterable[Row]) -> Iterator[Row]:
    """Add what usually explains a term; KV that only passes on what other terms did says so."""
    kept = list(rows)
    off = {row.term for row in kept if row.off}
    for row in kept:
        if not row.off:
            yield row
            continue
        key = row.term
        if key == "kv" and off & {"weights", "activation", "nontorch", "cuda_graphs"}:
            key = "kv follows"
        elif key in ("KV tokens", "requests at full length") and "kv" in off:
            key = "tokens follow"
        more = row.difference is not None and row.difference > 0
        yield Row(
            row.term, row.unit, row.predicted, row.measured, row.difference, True, HINTS[key][0 if more else 1]
        )  # fmt: skip


def _measured(boot: Boot, term: str) -> Span | None:
    return _span(boot.measures.get(term, {}).values())


def _span(values: Iterable[float]) -> Span | None:
    found = list(values)
    return (min(found), max(found)) if found else None

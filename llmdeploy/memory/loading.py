"""What weights take while they are loaded, where an engine quantizes them only when all of them are there."""

from __future__ import annotations

from msgspec.structs import replace

from llmdeploy.memory.kv import Storage
from llmdeploy.memory.model import Card, Ledger, Question, Verdict
from llmdeploy.memory.scheme import scheme
from llmdeploy.memory.sizes import size
from llmdeploy.memory.stage import Read, staged
from llmdeploy.memory.verdict import judge
from llmdeploy.memory.weights import Loading


def peak(question: Question, known: Read, loading: Loading, storage: Storage) -> float | None:
    """Return the GiB of the fullest rank before it quantizes; None where weights are loaded as they stay.

    Slots of adapters and a drafter come after it, and so do the copies of latent attention.
    """
    plain = scheme(question.model.config)
    if question.quantization is None or plain.name != "plain":
        return None
    alone = replace(question, quantization=None, adapters=None, drafter=None)
    whole = replace(loading, scheme=plain, absorb=False, drafting=False)
    return max(stage.weights_gib for stage in staged(alone, known, whole, storage))


def held_to(ledger: Ledger, peak_gib: float, free_gib: float, card: Card) -> Ledger:
    """Return what a ledger says of a card that must hold this peak before anything else."""
    room = free_gib - peak_gib
    verdict = judge(room, card.memory_gib, card.vendor)
    if ledger.verdict is Verdict.NO or verdict is Verdict.FITS:
        return ledger
    taken = f"its weights take {size(peak_gib)} while they are loaded, before they are quantized"
    reason = f"loading: {taken}, and {size(free_gib)} are free"
    if verdict is Verdict.TIGHT:
        return replace(ledger, verdict=verdict, reason=ledger.reason or reason)
    return replace(ledger, verdict=verdict, reason=reason, margin_gib=room)

"""What TGI's launcher settles, and what its warm-up leaves of a card."""

from __future__ import annotations

from msgspec import Struct

from llmdeploy.engines.tgi.options import Own
from llmdeploy.engines.tgi.prefill import in_one_step
from llmdeploy.memory.cards import traits
from llmdeploy.memory.constants import Constants
from llmdeploy.memory.model import Question
from llmdeploy.memory.share import budget_gib, rounded
from llmdeploy.memory.stage import Read, Stage
from llmdeploy.memory.weights import GIB


class Warmup(Struct, frozen=True):
    """Tokens of the longest request and of the largest prefill, and GiB of each rank."""

    context: int
    batch: int
    fraction: float
    peak: float
    """Of the largest prefill; it stays with PyTorch."""
    beside: float
    """What CUDA's libraries take."""
    usable: float
    free: float
    """After the prefill; below 0 it has no room."""
    kept: float
    """Of what is free, and given to no block."""
    kv: float


def warmed(question: Question, known: Read, stage: Stage, own: Own, rows: Constants) -> Warmup:
    """Go through the warm-up in its order: the prefill runs with blocks of its own, which are added again."""
    context = question.context or known.shape.max_context or 0
    batch = _batch(question, own, context, rows)
    fraction = _fraction(question, rows.value("fraction", question.version))
    peak = _peak(question, known, batch, rows)
    beside = rows.value("context", question.version, traits(question.card, question.split))
    blocks = batch * stage.pool.bytes_per_token / GIB
    usable = question.card.memory_gib * fraction - beside - question.used_gib
    free = usable - stage.weights_gib - peak - blocks
    room = rows.value("wiggle_room", question.version) if own.room is None else own.room
    kept = question.card.memory_gib * fraction * (1 - room)
    kv = max(free - kept, 0.0) + blocks if question.kv_bytes is None else question.kv_bytes / GIB
    return Warmup(context, batch, fraction, peak, beside, usable, free, kept, kv)


def _batch(question: Question, own: Own, context: int, rows: Constants) -> int:
    """Return max_batch_prefill_tokens: a prompt that is read in one step must fit."""
    if question.batch_tokens:
        return question.batch_tokens
    batch = rows.whole("batch_tokens", question.version)
    whole = in_one_step(question.card.vendor, question.drafter is not None, own.chunking, own.attention)
    return max(batch, context) if whole else batch


def _peak(question: Question, known: Read, batch: int, rows: Constants) -> float:
    made = known.shape
    wide = made.intermediate if made.moe is None else max(made.intermediate, made.moe.intermediate)
    hidden = rows.value("forward_hidden", question.version) * made.hidden
    return batch * known.width * (3 * wide / question.split.tensor + hidden) / GIB


def _fraction(question: Question, default: float) -> float:
    """Return CUDA_MEMORY_FRACTION. What is left of it is what others do not hold (utils/import_utils.py,
    get_cuda_free_memory: free − (1 − fraction) × total), so that what they hold is added to a share.
    """
    if question.fraction is not None:
        return question.fraction
    if question.share is None:
        return default
    return rounded((budget_gib(question, question.share) + question.used_gib) / question.card.memory_gib)

"""The memory that vLLM divides into blocks, where that is not just what its share leaves.

Source: vLLM 0.33, v1/worker/utils.py (request_memory), v1/worker/gpu_worker.py (determine_available_memory) and
v1/core/kv_cache_planning.py (get_kv_cache_configs).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdeploy.memory.model import Line, Question, Rank, Verdict
from llmdeploy.memory.sizes import size
from llmdeploy.memory.stage import CPU, Stage
from llmdeploy.memory.verdict import judge
from llmdeploy.memory.weights import GIB

if TYPE_CHECKING:
    from llmdeploy.engines.vllm.memory import Taken


BLOCKS = "num-gpu-blocks-override"


def pinned(question: Question, taken: Taken, stage: Stage) -> Line | None:
    """Return the pool of a stage that has a size of its own, whatever the share leaves.

    Source: vLLM 0.33, v1/core/kv_cache_planning.py, get_kv_cache_configs: blocks come before bytes.
    """
    blocks = taken.own.blocks
    if blocks is not None:
        size = blocks * stage.pool.bytes_per_block / GIB
        return Line("kv", size, f"{blocks} blocks, as `{BLOCKS}` says, whatever the share")
    if question.kv_bytes is not None:
        on_host = question.card.vendor == CPU
        rule = "that --kv-cache-memory-bytes pins" if on_host else "that `kv_bytes` pins, whatever the share"
        return Line("kv", question.kv_bytes / GIB, f"the pool {rule}")
    return None


def has_pinned(question: Question, taken: Taken) -> bool:
    """Tell whether it has."""
    return question.kv_bytes is not None or taken.own.blocks is not None


def usable(question: Question, taken: Taken, ranks: list[Rank]) -> float:
    """Return the share, or what a pinned pool and all beside it come to; of a node, all that it offers."""
    if question.card.vendor == CPU:
        return question.card.memory_gib
    if not has_pinned(question, taken):
        return question.card.memory_gib * taken.fraction
    return max(_beside(rank) + rank.kv_gib for rank in ranks)


def _beside(rank: Rank) -> float:
    return rank.weights_gib + rank.activation_gib + rank.nontorch_gib


def _free(question: Question, taken: Taken) -> float:
    """Return what is free before vLLM starts."""
    return question.card.memory_gib - taken.value("context") - question.used_gib


def limit(question: Question, taken: Taken, ranks: list[Rank], margin: float) -> str | None:
    """Name the flag that makes a pool too small for one request, or too large for a card that holds all beside it."""
    room = _free(question, taken) - max(_beside(rank) for rank in ranks)
    return BLOCKS if taken.own.blocks is not None and margin < 0 <= room else None


def held(
    question: Question, taken: Taken, ranks: list[Rank], margin: float
) -> tuple[Verdict, float, str | None]:
    """Hold the margin to what the card has: what is free before vLLM starts, and all that a pinned pool stands beside."""
    margin, refusal, room = _held(question, taken, ranks, margin)
    if refusal or margin < 0:
        return Verdict.NO, margin, refusal
    # Blocks that are stated are no estimate: one request is in them or not, and the card alone may be too small.
    judged = margin if taken.own.blocks is None else room
    card, vendor = question.card.memory_gib, question.card.vendor
    verdict = judge(judged, card, vendor)
    free, requested = _at_the_start(question, taken)
    # Of vLLM's own fraction its authors had this doubt.
    asked = not taken.v0 and taken.fraction > taken.value("fraction")
    if verdict is Verdict.FITS and asked and judge(free - requested, card, vendor) is not Verdict.FITS:
        reason = f"free-memory: about {size(free)} are free at the start, and vLLM asks for {size(requested)}"
        return Verdict.TIGHT, margin, reason
    return verdict, margin, None


def _at_the_start(question: Question, taken: Taken) -> tuple[float, float]:
    """Return what is free when vLLM looks, and what it then asks for: every GPU, whatever pool is pinned (request_memory)."""
    return _free(question, taken), question.card.memory_gib * taken.fraction


def _held(
    question: Question, taken: Taken, ranks: list[Rank], margin: float
) -> tuple[float, str | None, float]:
    """Return the margin, what stands against it, and what is left of the card."""
    (free, requested), room = _at_the_start(question, taken), margin
    if has_pinned(question, taken):
        taking = max(_beside(rank) + rank.kv_gib for rank in ranks)
        room = free - taking
        margin = min(margin, room)
        if taken.own.blocks is not None and taking > free:
            asked = f"the pool that `{BLOCKS}` asks for"
            reason = f"memory: {asked} and all beside it take {size(taking)}, and {size(free)} are free"
            return room, reason, room
    if taken.v0 or free - requested >= min(margin, 0.0):
        return margin, None, room
    reason = f"free-memory: {size(free)} are free at the start, and vLLM asks for {size(requested)}"
    return free - requested, reason, room

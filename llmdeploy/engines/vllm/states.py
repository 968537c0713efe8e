"""How many sequences vLLM starts with where layers keep states: no more than its pool has blocks.

A full graph is captured for max_num_seqs sequences at once, and each of them holds a block of states while it decodes. More
sequences than blocks end the start, after the weights were read.

Source: vLLM 0.33, config/compilation.py, resolve_cudagraph_mode_and_sizes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from llmdeploy.memory.model import Question, Rank, Verdict
from llmdeploy.memory.stage import CPU, Stage
from llmdeploy.memory.verdict import error_gib, judge
from llmdeploy.memory.weights import GIB

if TYPE_CHECKING:
    from llmdeploy.engines.vllm.memory import Taken


def bounded(
    question: Question, taken: Taken, stages: Sequence[Stage], ranks: Callable[[Taken], list[Rank]]
) -> Taken:
    """Return the settings with as many sequences as there are blocks, where llm.yaml does not say how many.

    Fewer sequences leave more memory for blocks. The equation's error is kept free, as far as one request leaves it.
    """
    if question.concurrency is not None or not _counted(question, taken, stages):
        return taken
    spare = 0.0 if _exact(question, taken) else error_gib(question.card.memory_gib, question.card.vendor)

    def starts(many: int) -> bool:
        found = ranks(replace(taken, concurrency=many))
        least = min(taken.needs(stage, question.split) for stage in stages) + 1
        return many <= least or _left(many, stages, found) >= spare

    if starts(taken.concurrency):
        return taken
    many = bisect_left(range(1, taken.concurrency), True, key=lambda each: not starts(each))
    return replace(taken, concurrency=many, bounded=True)


def held(
    question: Question,
    taken: Taken,
    stages: Sequence[Stage],
    ranks: Iterable[Rank],
    verdict: Verdict,
    margin: float,
) -> tuple[Verdict, float, str | None]:
    """Hold the sequences that llm.yaml states to the blocks that there are."""
    if verdict is Verdict.NO or not _counted(question, taken, stages):
        return verdict, margin, None
    ranks = list(ranks)
    left = _left(taken.concurrency, stages, ranks)
    found = judge(left, question.card.memory_gib, question.card.vendor)
    if left >= margin or found is Verdict.FITS or (found is Verdict.TIGHT and _exact(question, taken)):
        return verdict, margin, None
    blocks = min(int(rank.kv_gib * GIB // stages[rank.stage].pool.bytes_per_block) for rank in ranks)
    reason = (
        f"states: max_num_seqs is {taken.concurrency}, and there are {blocks} blocks of states, one for each"
    )
    return found, left, reason


def _counted(question: Question, taken: Taken, stages: Iterable[Stage]) -> bool:
    """Tell whether sequences are held against blocks: where there are states, and full graphs to capture."""
    if question.card.vendor == CPU or question.eager or not taken.own.graphs.full:
        return False
    states = any(group.kind == "state" for stage in stages for group in stage.pool.groups)
    return states and taken.value("states_counted") > 0


def _exact(question: Question, taken: Taken) -> bool:
    """Tell whether the pool is stated, and no estimate. That of a share of a card was estimated before it was pinned."""
    return taken.own.blocks is not None or (question.kv_bytes is not None and question.share is None)


def _left(many: int, stages: Sequence[Stage], ranks: Iterable[Rank]) -> float:
    """Return the GiB of the tightest rank beyond a block for each of so many sequences."""
    return min(rank.kv_gib - many * stages[rank.stage].pool.bytes_per_block / GIB for rank in ranks)

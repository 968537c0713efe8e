"""vLLM on a CPU: weights, a pinned pool and vLLM's own processes in the memory of one node.

Source: vLLM 0.32 and 0.33, platforms/cpu.py (check_and_update_config) and v1/worker/cpu_worker.py
(determine_available_memory). There are no graphs and nothing is profiled: the pool has the bytes that
--kv-cache-memory-bytes states. Nothing holds weights and pool against the node either: where they are more, the kernel
ends vLLM without a word.
"""

from __future__ import annotations

from msgspec.structs import replace

from llmdeploy.catalog.versions import within
from llmdeploy.memory.constants import Row
from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.model import Line, Question, Rank, Verdict
from llmdeploy.memory.sizes import size
from llmdeploy.memory.stage import Read, Stage
from llmdeploy.memory.verdict import judge
from llmdeploy.memory.weights import GIB

SINCE = "0.32"
LATENT_BLOCK = 16
"""The kernel of latent attention has this block and no other, where the CPU has no AMX (csrc/cpu/mla_decode.cpp)."""
_PACKED = "embedding and output layer once more, as oneDNN packs them where the CPU has AVX-512 [A]"
_AMX = "where the CPU has AMX, blocks of latent attention have 128 tokens; 16 are taken here"


def check(question: Question) -> None:
    """Raise `UnmodelledError` for what was not read."""
    if not within(question.version or SINCE, SINCE, None):
        raise UnmodelledError("card", f"what vLLM does with a CPU's memory is modelled from {SINCE} on")
    if question.kv_bytes is None:
        raise UnmodelledError("card", "what vLLM leaves for a pool that is not pinned depends on the node")


def rank(
    question: Question,
    known: Read,
    row: Row,
    stage: Stage,
    index: int,
    peak: tuple[Line, ...],
    kv: Line,
) -> Rank:
    """Return one rank's part of the node's memory, with the pool `kv`."""
    peak = tuple(replace(line, rule=f"{line.rule}, taken to be as on a GPU [A]") for line in peak)
    outside = (
        Line("nontorch", row.value, f"vLLM's processes [{row.label}]: {row.source}"),
        Line("nontorch", _packed(question, known, stage), _PACKED),
    )
    beside, activation = sum(line.gib for line in outside), sum(line.gib for line in peak)
    lines = (*stage.weights, *peak, *outside, kv)
    return Rank(stage.index, index, stage.weights_gib, activation, beside, 0.0, kv.gib, lines)


def _packed(question: Question, known: Read, stage: Stage) -> float:
    """Return the GiB of the tables that are kept twice. Other matrices are given up once they are packed.

    Source: vLLM 0.33, layers/vocab_parallel_embedding.py (process_weights_after_loading) and layers/utils.py.
    """
    made = known.shape
    tables = [made.embedding] if stage.first or (stage.last and made.head is None) else []
    if stage.last and made.head is not None:
        tables.append(made.head)
    return sum(part.out * part.into for part in tables) * known.width / question.split.tensor / GIB


def held(question: Question, ranks: list[Rank], margin: float) -> tuple[Verdict, float, str | None]:
    """Judge: the pool against one request (`margin`), and all ranks together against the node.

    Weights and pool are known, and where they are more than the node has, that is NO. What stands beside them is
    estimated, so that it makes a ledger TIGHT and no worse.
    """
    offered = question.card.memory_gib - question.used_gib
    weights, pools = sum(rank.weights_gib for rank in ranks), sum(rank.kv_gib for rank in ranks)
    beside = sum(rank.activation_gib + rank.nontorch_gib for rank in ranks)
    left = offered - weights - pools
    if left < 0:
        text = f"memory: {size(weights)} of weights and {size(pools)} of KV cache are more than the {size(offered)} that it may take"
        return Verdict.NO, left, text
    if margin < 0:
        return Verdict.NO, margin, None
    verdict = judge(left - beside, offered)
    return (Verdict.FITS if verdict is Verdict.FITS else Verdict.TIGHT), min(margin, left - beside), None


def notes(known: Read) -> tuple[str, ...]:
    return () if known.shape.latent_heads is None else (_AMX,)

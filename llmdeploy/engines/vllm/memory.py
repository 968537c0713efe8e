"""vLLM's start-up equation: a share of the whole card, less weights, activations and graphs, is the KV cache.

Source: vLLM 0.33, v1/worker/utils.py (request_memory), v1/worker/gpu_worker.py (determine_available_memory) and
v1/core/kv_cache_utils.py (_check_enough_kv_cache_memory, get_max_concurrency_for_kv_cache_config).
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from msgspec import Struct

from llmdeploy.catalog.versions import within
from llmdeploy.engines.vllm import host, states
from llmdeploy.engines.vllm.offload import offloaded
from llmdeploy.engines.vllm.options import PLAIN, Own, applied
from llmdeploy.engines.vllm.pool import has_pinned, held, limit, pinned, usable
from llmdeploy.engines.vllm.profile import activation, graphs
from llmdeploy.engines.vllm.tower import kind
from llmdeploy.memory.cards import traits
from llmdeploy.memory.config import Config
from llmdeploy.memory.constants import Constants, constants
from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.kv import Pool, Storage
from llmdeploy.memory.loading import held_to, peak
from llmdeploy.memory.model import Ledger, Line, Question, Rank, Split
from llmdeploy.memory.options import of_engine, traits_of
from llmdeploy.memory.scheme import WIDTHS
from llmdeploy.memory.share import budget_gib, rounded
from llmdeploy.memory.stage import CPU, Read, Stage, read, staged
from llmdeploy.memory.weights import GIB, Loading

_STACKED = {
    *("GptOssForCausalLM", "InternS1ProForConditionalGeneration", "Qwen3OmniMoeForConditionalGeneration"),
    *("Qwen3VLMoeForConditionalGeneration", "Qwen3_5MoeForConditionalGeneration"),
}
"""Architectures whose checkpoints have gate and up of all experts as one tensor (model_executor/models, is_3d_moe_weight)."""
_CACHED = {"nvfp4": 0.5 + 1 / 16}
"""Bytes of an element of a packed cache: half of one, and a scale of fp8 for 16 (utils/torch_utils.py, nvfp4_kv_cache_full_dim)."""


class Taken(Struct, frozen=True):
    """The settings that hold, stated or not, and the constants of this release and card."""

    version: str
    fraction: float
    context: int
    concurrency: int
    batch_tokens: int
    traits: frozenset[str]
    rows: Constants
    own: Own = PLAIN
    """What `engine_args` and `env` say beside it."""
    bounded: bool = False
    """`concurrency` is less than vLLM takes by itself, so that each sequence has a block of states."""

    def value(self, name: str) -> float:
        return self.rows.value(name, self.version, self.traits)

    def needs(self, stage: Stage, split: Split) -> int:
        """Return the blocks of one request of full length."""
        in_flight = self.batch_tokens * (self.batches + split.pipeline - 1)
        return stage.pool.blocks_of(-(-self.context // max(split.decode_context, 1)), in_flight)

    @property
    def charged(self) -> bool:
        """Whether the cache gives way to the graphs."""
        stated = self.own.graphs.charged
        return self.value("graphs_charged") > 0 if stated is None else stated

    @property
    def batches(self) -> int:
        """Batches that are scheduled and not done, beside one for each further stage."""
        overlapping = self.own.overlapping
        return int(self.value("batches")) if overlapping is None else 1 + overlapping

    @property
    def v0(self) -> bool:
        """Whether it is the engine before 0.8, whose first rank samples alone, and which has no hybrid caches."""
        return within(self.version, None, "0.8")


@cache
def table() -> Constants:
    return constants(json.loads((files(__package__) / "memory.json").read_bytes()))


def memory(question: Question) -> Ledger:
    """Answer a question; what is not modelled comes back as UNKNOWN with its reason."""
    try:
        question, own, known = _understood(question)
        if question.card.vendor == CPU:
            host.check(question)
        taken = settle(question, known, own)
        loading, storage = _loading(question, known, taken), _storage(question, known, taken)
        stages = offloaded(staged(question, known, loading, storage), question, known, loading, own)
        whole = taken.value("loads_whole") > 0 and question.quantization == "fp8"
        loaded = peak(question, known, loading, storage) if whole else None
    except UnmodelledError as stop:
        return stop.ledger

    def ranks(taken: Taken) -> list[Rank]:
        return [
            _rank(question, known, taken, stage, rank)
            for _ in range(question.split.data)
            for stage in stages
            for rank in range(question.split.tensor)
        ]

    bounded = states.bounded(question, taken, stages, ranks)
    found = _answer(question, known, bounded, stages, ranks(bounded))
    if loaded is None:
        return found
    free = question.card.memory_gib - taken.value("context") - question.used_gib
    return held_to(found, loaded, free, question.card)


def _understood(question: Question) -> tuple[Question, Own, Read]:
    """Take in what `engine_args` and `env` say. `UnmodelledError` where that is more than the equation knows."""
    if not question.options and not question.env:
        return question, PLAIN, read(question, host=True)
    from llmdeploy.engines.arguments.stated import (
        said,
    )  # who states none does not pay for the catalog of flags

    stated = said(question, __package__)
    question, own = applied(question, stated)
    known = read(question, host=True)
    of_engine(__package__).check(stated, traits_of(question, known))
    return question, own, known


def settle(question: Question, known: Read, own: Own = PLAIN) -> Taken:
    """Decide what llm.yaml leaves to the engine."""
    rows, made = table(), known.shape
    version = question.version or rows.newest
    has = set(traits(question.card, question.split))
    has |= {"moe"} if made.moe else set()
    has |= {"gathered"} if made.moe and question.split.data > 1 else set()
    if made.family == "gpt-oss" and _triton(question, version, own):
        has.add("triton")
    names = Config(question.model.config).architectures
    has |= kind(names) | ({"stacked"} if not _STACKED.isdisjoint(names) else set())
    context = question.context or made.unscaled_context or made.max_context
    if context is None:
        raise UnmodelledError("config", "config.json states no context, and neither does the question")
    # On a CPU, defaults grow with the ranks (engine/arg_utils.py, get_batch_defaults).
    times = question.split.tensor * question.split.pipeline if question.card.vendor == CPU else 1
    times *= own.times
    batch = question.batch_tokens or times * rows.whole("batch_tokens", version, has)
    if within(version, None, "0.8") and question.batch_tokens is None and context <= 32768:
        batch = max(context, batch)  # V0 does not chunk prompts up to this length
    if not own.chunked and question.batch_tokens is None:
        batch = max(context, batch)  # engine/arg_utils.py, _set_default_max_num_seqs_and_batched_tokens_args
    return Taken(
        version,
        _fraction(question, version, rows, frozenset(has)),
        context,
        question.concurrency or times * rows.whole("concurrency", version, has),
        batch,
        frozenset(has),
        rows,
        own,
    )


def _fraction(question: Question, version: str, rows: Constants, has: frozenset[str]) -> float:
    """Return gpu_memory_utilization. What CUDA takes before vLLM looks is outside of it, but within a share."""
    if question.fraction is not None:
        return question.fraction
    if question.share is None:
        return rows.value("fraction", version, has)
    within = budget_gib(question, question.share) - rows.value("context", version, has)
    return rounded(within / question.card.memory_gib)


def _triton(question: Question, version: str, own: Own) -> bool:
    """Tell whether experts in MXFP4 have Triton's layout, and no workspace."""
    if own.moe_backend is not None:
        return own.moe_backend == "triton"
    return question.card.capability == "9.0" and table().value("mxfp4_triton", version) > 0


def _loading(question: Question, known: Read, taken: Taken) -> Loading:
    split = question.split
    return Loading(
        scheme=known.scheme,
        width=known.width,
        # Experts are spread over all ranks of all data-parallel copies, in slices or whole.
        expert_ranks=split.tensor * split.data,
        whole_experts=split.expert,
        pad_experts=(int(taken.value("mxfp4_inner")), int(taken.value("mxfp4_hidden"))),
        tower=question.sees,
        whole_tower=taken.own.whole_tower,
        absorb=True,
        drafting=question.drafter is not None and question.drafter.method == "mtp",
        rope_width=known.width,
        expert_inputs=int(taken.value("expert_inputs")),
        caching=question.card.vendor != CPU,
        buffers=not taken.v0,
    )


def _storage(question: Question, known: Read, taken: Taken) -> Storage:
    own = known.scheme.kv_dtype if taken.value("cache_as_checkpoint") else None
    stated = question.kv_dtype if question.kv_dtype != "auto" else own
    latent = {"fp8_ds_mla": 656.0, "nvfp4_ds_mla": 352.0}.get(stated or "")
    if known.shape.indexed:
        stated = stated or ("fp8" if taken.value("indexed_fp8") else None)
        latent = taken.value("indexed_latent") or latent if (stated or "").startswith("fp8") else latent
    element = known.width if stated is None else _CACHED.get(stated, float(WIDTHS.get(stated, 1)))
    aligned = question.prefix_caching and taken.value("aligned_states") > 0
    return Storage(
        element=element,
        latent=latent,
        conv=known.width,
        ssm=float(WIDTHS.get(taken.own.ssm_dtype or known.shape.ssm_dtype, known.width)),
        block=_block(question, known, taken),
        align=128 if known.shape.latent_heads is not None else 16,
        drafted=question.drafter.tokens if question.drafter is not None else 0,
        aligned_states=aligned,
        hybrid=not taken.v0 and taken.own.hybrid,
    )


def _block(question: Question, known: Read, taken: Taken) -> int:
    if question.card.vendor == CPU and known.shape.latent_heads is not None:
        return host.LATENT_BLOCK
    return question.block_size or int(taken.value("block"))


def _rank(question: Question, known: Read, taken: Taken, stage: Stage, rank: int) -> Rank:
    requested = question.card.memory_gib * taken.fraction
    sampling = stage.last and not question.embed and (rank == 0 or not taken.v0)
    peak = activation(question, known, taken, stage, sampling)
    row = taken.rows.row("nontorch", taken.version, taken.traits)
    kv = pinned(question, taken, stage)
    if kv is not None and question.card.vendor == CPU:
        return host.rank(question, known, row, stage, rank, peak, kv)
    beside = Line(
        "nontorch", row.value, f"what CUDA's libraries take beside PyTorch [{row.label}]: {row.source}"
    )
    drawn = graphs(question, taken, stage)
    charged = drawn.gib if taken.charged else 0.0
    act = sum(line.gib for line in peak)
    if kv is None:
        left = requested - stage.weights_gib - act - row.value - charged
        share = f"{taken.fraction:g} of {question.card.memory_gib:g} GiB"
        kv = Line("kv", left, f"Available KV cache memory: {share}, less the lines above")
    lines = (*stage.weights, *peak, beside, drawn, kv)
    return Rank(stage.index, rank, stage.weights_gib, act, row.value, drawn.gib, kv.gib, lines)


def _answer(
    question: Question, known: Read, taken: Taken, stages: tuple[Stage, ...], ranks: list[Rank]
) -> Ledger:
    copies = max(question.split.decode_context, 1)
    needs = [taken.needs(stage, question.split) for stage in stages]
    blocks, tightest = min((_blocks(rank, stages[rank.stage]), rank.stage) for rank in ranks)
    pool, need = stages[tightest].pool, needs[tightest]
    at_once = blocks / need if need else float(taken.concurrency)
    # One block is never given out (_check_enough_kv_cache_memory).
    margin = min(
        rank.kv_gib - (needs[rank.stage] + 1) * stages[rank.stage].pool.bytes_per_block / GIB
        for rank in ranks
    )
    on_host = question.card.vendor == CPU
    if on_host:
        verdict, margin, refusal = host.held(question, ranks, margin)
    else:
        verdict, margin, refusal = held(question, taken, ranks, margin)
        if refusal is None and not taken.bounded:
            verdict, margin, refusal = states.held(question, taken, stages, ranks, verdict, margin)
    return Ledger(
        verdict,
        margin_gib=margin,
        usable_gib=usable(question, taken, ranks),
        ranks=tuple(ranks),
        kv_tokens=_printed(pool, blocks, at_once, taken, copies),
        requests_at_context=at_once,
        max_sequences=min(taken.concurrency, blocks // max(pool.blocks_of(1, 1), 1)),
        bytes_per_token=int(pool.bytes_per_token),
        limit=None if on_host else limit(question, taken, ranks, margin),
        reason=refusal,
        context=taken.context,
        concurrency=taken.concurrency,
        bounded=taken.bounded,
        batch_tokens=taken.batch_tokens,
        fraction=None if on_host else taken.fraction,
        kv_bytes_per_request=int(need * pool.bytes_per_block),
        pinned=has_pinned(question, taken),
        notes=(*known.notes, *taken.own.notes, *(host.notes(known) if on_host else ())),
    )


def _printed(pool: Pool, blocks: int, at_once: float, taken: Taken, copies: int) -> int:
    """Return "GPU KV cache size". Where layers give tokens back, newer releases print what full requests hold together."""
    whole = len(pool.groups) == 1 and pool.groups[0].kind in ("full", "latent")
    if not whole and taken.value("printed_at_length"):
        return int(at_once * taken.context)
    return blocks // max(len(pool.groups), 1) * pool.block * copies


def _blocks(rank: Rank, stage: Stage) -> int:
    size = stage.pool.bytes_per_block
    return int(rank.kv_gib * GIB // size) if rank.kv_gib > 0 and size else 0

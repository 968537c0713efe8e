"""vLLM's start-up equation: a share of the whole card, less weights, activations and graphs, is the KV cache.

Source: vLLM 0.33, v1/worker/utils.py (request_memory), v1/worker/gpu_worker.py (determine_available_memory) and
v1/core/kv_cache_utils.py (_check_enough_kv_cache_memory, get_max_concurrency_for_kv_cache_config).
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from msgspec import Struct

from llmdeploy.catalog.versions import order, within
from llmdeploy.memory.architecture import shape
from llmdeploy.memory.constants import Constants, constants
from llmdeploy.memory.kv import Pool, Storage, pool
from llmdeploy.memory.model import Ledger, Line, Question, Rank, Verdict
from llmdeploy.memory.scheme import WIDTHS, Scheme, scheme
from llmdeploy.memory.shape import Shape
from llmdeploy.memory.unmodelled import Unmodelled
from llmdeploy.memory.verdict import judge
from llmdeploy.memory.weights import GIB, Loading, stages, weigh

_FABRIC = (
    "a100",
    "h100",
    "h200",
    "b200",
    "gb200",
    "b300",
    "gb300",
    "mi300x",
    "mi325x",
    "mi355x",
    "a800",
    "h800",
    "h20",
)


@cache
def table() -> Constants:
    return constants(json.loads((files(__package__) / "memory.json").read_bytes()))


class Taken(Struct, frozen=True):
    """The settings that hold, stated or not."""

    version: str
    fraction: float
    context: int
    concurrency: int
    batch_tokens: int
    traits: frozenset[str]
    v0: bool


def memory(question: Question) -> Ledger:
    """Answer a question; what is not modelled comes back as UNKNOWN with its reason."""
    try:
        return _ledger(question)
    except Unmodelled as stop:
        return Ledger(Verdict.UNKNOWN, reason=str(stop))


def _ledger(question: Question) -> Ledger:
    if question.card.vendor == "cpu":
        raise Unmodelled("card", "a CPU's memory is not divided by this equation")
    made = shape(question.model.config)
    scheme_ = scheme(question.model.config, _runtime(question))
    taken = settle(question, made)
    width = float(WIDTHS.get(question.dtype if question.dtype != "auto" else made.dtype, 2))
    loading = _loading(question, made, scheme_, width)
    storage = _storage(question, made, scheme_, width, taken)
    total = question.card.memory_gib
    requested = total * taken.fraction
    ranks: list[Rank] = []
    pools: list[Pool] = []
    split = question.split
    for stage, layers in enumerate(stages(len(made.layers), split.pipeline)):
        last = stage == split.pipeline - 1
        lines = weigh(made, loading, split, layers, question.adapters)
        caches = [c for i in layers if (c := made.layers[i].cache) is not None]
        if loading.drafting and last:
            caches += [layer.cache for layer in made.drafter if layer.cache is not None]
        pools.append(pool(caches, split.tensor, storage))
        for rank in range(split.tensor):
            sampling = last and (rank == 0 or not taken.v0)
            ranks.append(_rank(question, made, taken, lines, stage, rank, requested, sampling, width))
    ranks *= 1
    return _answer(question, taken, ranks, pools, requested, storage)


def settle(question: Question, made: Shape) -> Taken:
    """Decide what llm.yaml leaves to the engine."""
    rows = table()
    version = question.version or rows.newest
    v0 = within(version, None, "0.8")
    card = question.card
    traits = {f"vendor-{card.vendor}"}
    fabric = any((card.id or card.name.lower()).startswith(name) for name in _FABRIC)
    traits |= {"fabric"} if fabric else set()
    traits |= {"many"} if question.split.tensor > 1 else set()
    traits |= {"four"} if question.split.tensor > 2 else set()
    traits |= {"stages"} if question.split.pipeline > 1 and question.split.tensor == 1 else set()
    traits |= {"moe"} if made.moe else set()
    held_back = "a100" in (card.id or card.name.lower()) or (card.id or "") == "gb10"
    traits |= {"large"} if card.memory_gib >= 70 and not held_back else set()
    traits |= {"huge"} if card.memory_gib >= 160 else set()
    context = question.context or made.max_context
    if context is None:
        raise Unmodelled("config", "config.json states no context, and neither does llm.yaml")
    batch = question.batch_tokens or rows.whole("batch_tokens", version, traits)
    if v0 and question.batch_tokens is None and context <= 32768:
        batch = max(context, batch)
    concurrency = question.concurrency or rows.whole("concurrency", version, traits)
    fraction = question.fraction if question.fraction is not None else rows.value("fraction", version)
    return Taken(version, fraction, context, concurrency, max(batch, 1), frozenset(traits), v0)


def _runtime(question: Question) -> str | None:
    return question.quantization


def _loading(question: Question, made: Shape, scheme_: Scheme, width: float) -> Loading:
    split = question.split
    experts = split.tensor * split.data
    version = question.version or table().newest
    marlin = question.options is not None and question.options.get("moe-backend") == "marlin"
    return Loading(
        scheme=scheme_,
        width=width,
        expert_ranks=experts,
        whole_experts=split.expert,
        pad_experts=(128, 256) if marlin or not _triton(question, version) else (64, 128),
        tower=not _text_only(question),
        tower_ranks=split.tensor,
        absorb=order(version) >= order("0.7"),
        drafting=question.drafter is not None and question.drafter.method == "mtp",
    )


def _triton(question: Question, version: str) -> bool:
    """Hopper's kernel for MXFP4 (OAI's, in Triton) swizzles what Marlin pads."""
    stated = (question.options or {}).get("moe-backend")
    return stated == "triton" or (stated is None and question.card.capability == "9.0")


def _text_only(question: Question) -> bool:
    return question.items is not None and not any(question.items.values())


def _storage(question: Question, made: Shape, scheme_: Scheme, width: float, taken: Taken) -> Storage:
    options = question.options or {}
    stated = question.kv_dtype if question.kv_dtype != "auto" else scheme_.kv_dtype or "auto"
    element = width if stated == "auto" else float(WIDTHS.get(stated, 1))
    latent = {"fp8_ds_mla": 656.0, "nvfp4_ds_mla": 352.0}.get(stated)
    drafter = question.drafter
    return Storage(
        element=element,
        latent=latent,
        conv=2.0,
        ssm=float(WIDTHS.get(str(options.get("mamba-ssm-cache-dtype", "float32")), 4)),
        block=question.block_size or 16,
        align=128 if made.latent_heads is not None else 16,
        drafted=drafter.tokens if drafter is not None else 0,
        aligned_states=question.prefix_caching and order(taken.version) >= order("0.17"),
        hybrid=not taken.v0 and options.get("disable-hybrid-kv-cache-manager") is not True,
    )


def _rank(
    question: Question,
    made: Shape,
    taken: Taken,
    weights: tuple[Line, ...],
    stage: int,
    rank: int,
    requested: float,
    sampling: bool,
    width: float,
) -> Rank:
    rows, version = table(), taken.version
    activation = _activation(question, made, taken, sampling, width)
    row = rows.row("nontorch", version, taken.traits)
    nontorch = Line(
        "nontorch", row.value, f"what the CUDA libraries allocate beside PyTorch [{row.label}]: {row.source}"
    )
    graphs = 0.0
    if not question.eager:
        graphs = (
            rows.value("graphs_base", version)
            + rows.value("graphs_layer", version) * len(made.layers) / question.split.pipeline
        )
    charged = graphs if rows.value("graphs_charged", version) else 0.0
    drawn = Line(
        "cuda_graphs",
        graphs,
        "no graphs: eager"
        if question.eager
        else "graphs, estimated before the cache is sized"
        if charged
        else "graphs, captured on top of the fraction",
    )
    weight = sum(line.gib for line in weights)
    peak = sum(line.gib for line in activation)
    if question.kv_bytes is not None:
        kv = question.kv_bytes / GIB
        rule = "the pool that `kv_bytes` pins"
    else:
        kv = requested - weight - peak - row.value - charged
        rule = f"Available KV cache memory: {taken.fraction:g} of {question.card.memory_gib:g} GiB, less the lines above"
    lines = (*weights, *activation, nontorch, drawn, Line("kv", kv, rule))
    return Rank(stage, rank, weight, peak, row.value, graphs, kv, lines)


def _activation(
    question: Question, made: Shape, taken: Taken, sampling: bool, width: float
) -> tuple[Line, ...]:
    """The peak of the run that vLLM profiles: a full batch through the layers, then the sampler over its last rows."""
    rows, version = table(), taken.version
    tensor, tokens = question.split.tensor, taken.batch_tokens
    wide = max(made.intermediate, (made.moe.intermediate * made.moe.per_token) if made.moe else 0)
    hidden = made.hidden
    forward = tokens * width * (3 * wide / tensor + rows.value("forward_hidden", version) * hidden)
    lines = []
    if made.moe is not None and not (made.family == "gpt-oss" and _triton(question, version)):
        inner = made.moe.intermediate / tensor
        size = tokens * made.moe.per_token * width * (max(2 * inner, hidden) + max(inner, hidden))
        lines.append(
            Line(
                "activation",
                size / GIB,
                f"the experts' workspace: {tokens} tokens × {made.moe.per_token} experts",
            )
        )
    picked = 0.0
    rows_ = min(taken.concurrency, tokens)
    if sampling:
        vocab = -(-made.vocab // 64) * 64
        picked = rows.value("sampler", version) * rows_ * vocab * 4 + (
            0 if taken.v0 else 1.5 * tokens * hidden * width
        )
    if picked > forward:
        rule = f"the sampler over {rows_} sequences (max_num_seqs) × {made.vocab} logits [F]"
        lines.append(Line("activation", picked / GIB, rule))
    else:
        lines.append(
            Line(
                "activation", forward / GIB, f"{tokens} tokens (max_num_batched_tokens) through one layer [F]"
            )
        )
    return tuple(lines)


def _answer(
    question: Question, taken: Taken, ranks: list[Rank], pools: list[Pool], requested: float, storage: Storage
) -> Ledger:
    rows = table()
    in_flight = taken.batch_tokens * (
        2
        if question.split.pipeline == 1 and order(taken.version) >= order("0.14")
        else question.split.pipeline
    )
    fewest: int | None = None
    margin = None
    per_request = 0
    chosen = pools[0]
    for rank in ranks:
        held = pools[rank.stage]
        blocks = (
            int(rank.kv_gib * GIB // held.bytes_per_block) if rank.kv_gib > 0 and held.bytes_per_block else 0
        )
        need = held.blocks_of(taken.context, in_flight)
        left = rank.kv_gib - (need + 1) * held.bytes_per_block / GIB
        if margin is None or left < margin:
            margin, per_request = left, int(need * held.bytes_per_block)
        if fewest is None or blocks < fewest:
            fewest, chosen = blocks, held
    assert margin is not None and fewest is not None
    need = chosen.blocks_of(taken.context, in_flight)
    at_once = fewest / need if need else 0.0
    copies = max(question.split.decode_context, 1)
    if len(chosen.groups) == 1 or order(taken.version) < order("0.22"):
        tokens = fewest // len(chosen.groups) * chosen.block
    else:
        tokens = int(at_once * taken.context)
    short = chosen.blocks_of(1, 1) or 1
    free = question.card.memory_gib - rows.value("context", taken.version, taken.traits) - question.used_gib
    if not taken.v0 and question.kv_bytes is None and free < requested:
        verdict, margin = Verdict.NO, min(margin, free - requested)
        reason = f"startup: {free:.2f} GiB are free when vLLM starts, and it asks for {requested:.2f}"
    else:
        verdict, reason = judge(margin, question.card.memory_gib), None
    return Ledger(
        verdict,
        margin_gib=margin,
        usable_gib=requested,
        ranks=tuple(ranks),
        kv_tokens=tokens * copies,
        requests_at_context=at_once * copies,
        max_sequences=min(taken.concurrency, fewest // short),
        bytes_per_token=int(chosen.bytes_per_token),
        reason=reason,
        context=taken.context,
        concurrency=taken.concurrency,
        batch_tokens=taken.batch_tokens,
        fraction=taken.fraction,
        kv_bytes_per_request=per_request,
    )

"""SGLang's start-up equation: a share of what is free before loading holds weights and KV cache; the rest is for the run.

Source: SGLang 0.5.23, srt/mem_cache/kv_cache_configurator.py (_profile_available_bytes, _handle_max_mamba_cache) and
srt/arg_groups/memory_hook.py. It prints GB and means GiB.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from math import floor

from msgspec import Struct
from msgspec.structs import replace

from llmdeploy.memory.cards import traits
from llmdeploy.memory.constants import Constants, constants
from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.kv import Storage, state_bytes, token_bytes
from llmdeploy.memory.model import Ledger, Line, Question, Rank, Verdict
from llmdeploy.memory.scheme import WIDTHS
from llmdeploy.memory.share import budget_gib, rounded
from llmdeploy.memory.sizes import size as said
from llmdeploy.memory.stage import CPU, Read, Stage, read, staged
from llmdeploy.memory.verdict import judge
from llmdeploy.memory.weights import GIB, Loading


class Taken(Struct, frozen=True):
    """The settings that hold, and the constants of this release and card."""

    version: str
    context: int
    batch_tokens: int
    graph_batch: int
    traits: frozenset[str]
    rows: Constants

    def value(self, name: str) -> float:
        return self.rows.value(name, self.version, self.traits)


class Tokens(Struct, frozen=True):
    """A rank's pool: what a token takes, where layers with a window keep `ratio` of all tokens, and states."""

    full: float
    windowed: float
    ratio: float
    state: float

    @property
    def each(self) -> float:
        return self.full + self.windowed * self.ratio


@cache
def table() -> Constants:
    return constants(json.loads((files(__package__) / "memory.json").read_bytes()))


def memory(question: Question) -> Ledger:
    """Answer a question; what is not modelled comes back as UNKNOWN with its reason."""
    try:
        known = read(question, host=True)
        taken = settle(question, known)
        storage = _storage(question, known)
        stages = staged(question, known, _loading(question, known), storage)
        if question.card.vendor == CPU:
            return _on_host(question, known, taken, stages)
    except UnmodelledError as stop:
        return stop.ledger
    return _answer(question, known, taken, stages, storage)


def settle(question: Question, known: Read) -> Taken:
    """Decide what llm.yaml leaves to the engine."""
    rows, split, size = table(), question.split, question.card.memory_gib
    version = question.version or rows.newest
    has = set(traits(question.card, split)) - {"four"} | ({"moe"} if known.shape.moe else set())
    has |= {f"under{limit}" for limit in (20, 35, 60, 160) if size < limit} | (
        {"over60"} if size > 60 else set()
    )
    has |= {
        name
        for name, many in (("two", 2), ("four", 4), ("eight", 8), ("sixteen", 16))
        if split.tensor >= many
    }
    context = question.context or known.shape.max_context
    if context is None:
        raise UnmodelledError("config", "config.json states no context, and neither does the question")
    batch = question.batch_tokens or rows.whole("batch_tokens", version, has)
    graphs = rows.whole("graph_batch", version, has)
    graphs = 0 if question.eager else min(graphs, question.concurrency or graphs)
    return Taken(version, context, batch, graphs, frozenset(has), rows)


def fraction(question: Question, known: Read, taken: Taken, stages: tuple[Stage, ...]) -> float:
    """Return mem_fraction_static: what is stated, what a share leaves for weights and cache, or what SGLang computes."""
    if question.fraction is not None:
        return question.fraction
    if question.share is not None:
        beside = max(_forward(question, known, taken) + _graphs(taken, stage) for stage in stages)
        static = budget_gib(question, question.share) - taken.value("context") - beside
        return rounded(static / max(_free(question, taken), static))
    if fixed := taken.value("fraction"):
        return fixed
    reserved = taken.value("reserved_base") + taken.value("reserved_token") * max(taken.batch_tokens, 2048)
    reserved += question.split.tensor * question.split.pipeline / 8 * 1024
    reserved += taken.value("reserved_graph") * taken.graph_batch
    reserved += (
        taken.value("reserved_latent") if known.shape.latent_heads is not None and not question.eager else 0
    )
    reserved = max(reserved, taken.value("reserved_least"))
    share = round(1 - reserved / (question.card.memory_gib * 1024), 3)
    return share * (0.95 if known.shape.vision else 1.0)


def _free(question: Question, taken: Taken) -> float:
    """Return what is free before loading, on a card where others may have started before."""
    return question.card.memory_gib - taken.value("context") - question.used_gib


def _forward(question: Question, known: Read, taken: Taken) -> float:
    """Return what one layer's activations take."""
    made = known.shape
    wide = made.intermediate if made.moe is None else max(made.intermediate, made.moe.intermediate)
    each = 3 * wide / question.split.tensor + taken.value("forward_hidden") * made.hidden
    return taken.batch_tokens * known.width * each / GIB


def _graphs(taken: Taken, stage: Stage) -> float:
    if not taken.graph_batch:
        return 0.0
    return taken.value("graphs_base") + taken.value("graphs_layer") * len(stage.layers)


def _on_host(question: Question, known: Read, taken: Taken, stages: tuple[Stage, ...]) -> Ledger:
    """Answer for a CPU: what SGLang finds free on a node is not known, but that its own share is none of it can be."""
    share, node = fraction(question, known, taken, stages), question.card.memory_gib
    if share > 0 or "mem-fraction-static" in (question.options or {}):
        raise UnmodelledError("card", "what is free on a node when SGLang starts is not known")
    ranks = []
    for stage in stages:
        kv = Line("kv", node * share - stage.weights_gib, f"mem_fraction_static would be {share:g}")
        ranks.append(Rank(stage.index, 0, stage.weights_gib, 0.0, 0.0, 0.0, kv.gib, (*stage.weights, kv)))
    return Ledger(
        Verdict.NO,
        margin_gib=min(rank.kv_gib for rank in ranks),
        usable_gib=node,
        ranks=tuple(ranks),
        reason=f"memory: SGLang holds back {said(node * (1 - share))} to run in, and may take {said(node)} in all",
        context=taken.context,
        notes=known.notes,
    )


def _loading(question: Question, known: Read) -> Loading:
    split = question.split
    return Loading(
        scheme=known.scheme,
        width=known.width,
        pad_vocab=padding(known.shape.vocab, split.tensor),
        expert_ranks=split.tensor,
        whole_experts=split.expert,
        pad_experts=(128, 256),
        tower=question.items is None or any(question.items.values()),
        absorb=True,
        drafting=question.drafter is not None and question.drafter.method == "mtp",
        rope_width=4.0,  # srt/layers/rotary_embedding: fp32
    )


def padding(vocab: int, ranks: int) -> int:
    """Return what the vocabulary is padded to a multiple of: so that it divides, whatever the ranks.

    Source: SGLang 0.5.23, srt/layers/vocab_parallel_embedding.py, VocabParallelEmbedding.__init__.
    """
    return 64 if (vocab + 63) // 64 * 64 % ranks == 0 else 64 * ranks


def _storage(question: Question, known: Read) -> Storage:
    options = question.options or {}
    stated = question.kv_dtype if question.kv_dtype != "auto" else known.scheme.kv_dtype
    ssm = str(options.get("mamba-ssm-dtype", known.shape.ssm_dtype))
    return Storage(
        element=known.width if stated is None else float(WIDTHS.get(stated, 1)),
        conv=known.width,
        ssm=float(WIDTHS.get(ssm, 4)),
        block=question.block_size or 1,
        drafted=question.drafter.tokens if question.drafter is not None else 0,
    )


def _tokens(stage: Stage, question: Question, taken: Taken, storage: Storage) -> Tokens:
    tensor = question.split.tensor
    full = sum(token_bytes(c, tensor, storage) for c in stage.caches if c.kind in ("full", "latent"))
    windowed = sum(token_bytes(c, tensor, storage) for c in stage.caches if c.kind in ("sliding", "chunked"))
    state = sum(state_bytes(c, tensor, storage) for c in stage.caches if c.kind == "state")
    if not full:  # one window for all layers is one pool
        return Tokens(windowed, 0.0, 0.0, state)
    return Tokens(full, windowed, taken.value("window_ratio"), state)


class Budget(Struct, frozen=True):
    """How one stage's ranks divide their share: GiB of states, and of tokens; how many requests have states."""

    tokens: Tokens
    states: float
    kv: float
    requests: int | None

    @property
    def fits(self) -> int:
        """The tokens that the pool holds."""
        return max(0, int(self.kv * GIB // self.tokens.each)) if self.tokens.each else 1 << 40


def _budget(question: Question, taken: Taken, stage: Stage, storage: Storage, left: float) -> Budget:
    held = _tokens(stage, question, taken, storage)
    if not held.state:
        return Budget(held, 0.0, left, None)
    ratio, slots = taken.value("state_ratio"), taken.value("states_per_request")
    states = max(0.0, left * ratio / (1 + ratio))
    if question.concurrency is not None:
        states = min(states, question.concurrency * slots * held.state / GIB)
    return Budget(held, states, left - states, int(states * GIB // (held.state * slots)))


def _answer(
    question: Question, known: Read, taken: Taken, stages: tuple[Stage, ...], storage: Storage
) -> Ledger:
    share, free = fraction(question, known, taken, stages), _free(question, taken)
    ranks: list[Rank] = []
    budgets: list[Budget] = []
    for stage in stages:
        left = free * share - stage.weights_gib if question.kv_bytes is None else question.kv_bytes / GIB
        budget = _budget(question, taken, stage, storage, left)
        lines = _lines(question, known, taken, stage, free, share, budget.kv, budget.states)
        budgets.append(budget)
        ranks += [_rank(stage, rank, lines, left) for rank in range(question.split.tensor)]
    tightest = min(budgets, key=lambda budget: budget.fits)
    tokens = min(tightest.fits, 1 << 40)
    margin = min(budget.kv - budget.tokens.each * taken.context / GIB for budget in budgets)
    verdict, reason = _judge(question, share, free, margin, ranks)
    running = _running(question, taken, tokens, [b.requests for b in budgets if b.requests is not None])
    return Ledger(
        verdict,
        margin_gib=margin,
        usable_gib=free if question.share is None else question.card.memory_gib * question.share,
        ranks=tuple(ranks) * question.split.data,
        kv_tokens=tokens,
        requests_at_context=tokens / taken.context,
        max_sequences=running,
        bytes_per_token=int(tightest.tokens.each),
        context=taken.context,
        concurrency=question.concurrency or running,
        batch_tokens=taken.batch_tokens,
        fraction=round(share, 4),
        kv_bytes_per_request=int(tightest.tokens.each * taken.context),
        reason=reason,
        notes=known.notes,
    )


def _running(question: Question, taken: Taken, tokens: int, requests: list[int]) -> int:
    """Return max_running_requests: what is asked for, or 512 a full context of tokens within bounds."""
    most = min(int(tokens / taken.context * 512), int(taken.value("requests_most")))
    return min(question.concurrency or max(most, int(taken.value("requests_least"))), tokens // 2, *requests)


def _judge(
    question: Question, share: float, free: float, margin: float, ranks: list[Rank]
) -> tuple[Verdict, str | None]:
    """What runs outside the share must find room there; it is estimated, so that too little is TIGHT."""
    verdict = judge(margin, question.card.memory_gib)
    lacking = max(rank.activation_gib + rank.cuda_graphs_gib for rank in ranks) - free * (1 - share)
    if verdict is not Verdict.FITS or lacking <= 0:
        return verdict, None
    return (
        Verdict.TIGHT,
        f"outside: activations and graphs need {said(lacking)} more than mem_fraction_static leaves",
    )


def _lines(
    question: Question,
    known: Read,
    taken: Taken,
    stage: Stage,
    free: float,
    share: float,
    kv: float,
    states: float,
) -> tuple[Line, ...]:
    lines = [
        *stage.weights,
        Line(
            "activation",
            _forward(question, known, taken),
            f"a layer: {taken.batch_tokens} tokens (chunked_prefill_size), outside the share [F]",
        ),
        Line(
            "nontorch", taken.value("context"), "CUDA, NCCL and cuBLAS, before SGLang looks what is free [M]"
        ),
        Line(
            "cuda_graphs",
            _graphs(taken, stage),
            f"graphs up to a batch of {taken.graph_batch}, outside the share [F]",
        ),
    ]
    if states:
        lines.append(Line("kv", states, "Mamba Cache: the states of running requests"))
    rule = f"KV Cache: {share:.3f} of the {free:.2f} GiB that are free before loading, less the weights"
    return (*lines, Line("kv", kv, rule))


def _rank(stage: Stage, rank: int, lines: tuple[Line, ...], kv: float) -> Rank:
    sums = {
        term: sum(line.gib for line in lines if line.term == term)
        for term in ("activation", "nontorch", "cuda_graphs")
    }
    return Rank(
        stage.index,
        rank,
        stage.weights_gib,
        sums["activation"],
        sums["nontorch"],
        sums["cuda_graphs"],
        kv,
        lines,
    )


def of_the_card(question: Question) -> float | None:
    """Return mem_fraction_static for what everything together may take of a card, None where that is not known.

    Its share is of weights and KV cache alone, and of what is free: what stands outside of it is taken off first.
    """
    found = memory(replace(question, card_fraction=None, share=None))
    if found.usable_gib is None or not found.ranks or question.card_fraction is None:
        return None
    outside = max(rank.activation_gib + rank.nontorch_gib + rank.cuda_graphs_gib for rank in found.ranks)
    share = (question.card.memory_gib * question.card_fraction - outside) / found.usable_gib
    return max(0.01, floor(share * 1000) / 1000)

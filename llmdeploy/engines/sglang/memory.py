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

from llmdeploy.engines.sglang.fraction import own_share
from llmdeploy.engines.sglang.judgement import judged, no_table, nothing_left, outside
from llmdeploy.engines.sglang.options import PLAIN, Own, applied
from llmdeploy.engines.sglang.outside import forward_gib, graphs_gib, table_gib
from llmdeploy.engines.sglang.pool import Budget, budget_of, storage_of
from llmdeploy.memory.cards import traits
from llmdeploy.memory.constants import Constants, constants
from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.kv import Storage
from llmdeploy.memory.loading import held_to, peak
from llmdeploy.memory.model import Ledger, Line, Question, Rank, Verdict
from llmdeploy.memory.options import of_engine, traits_of
from llmdeploy.memory.share import budget_gib, rounded
from llmdeploy.memory.sizes import size
from llmdeploy.memory.stage import CPU, Read, Stage, read, staged
from llmdeploy.memory.weights import GIB, Loading


class Taken(Struct, frozen=True):
    """The settings that hold, and the constants of this release and card."""

    version: str
    context: int
    batch_tokens: int
    graph_batch: int
    traits: frozenset[str]
    rows: Constants
    own: Own = PLAIN
    """What `engine_args` and `env` say beside it."""

    def value(self, name: str) -> float:
        return self.rows.value(name, self.version, self.traits)


@cache
def table() -> Constants:
    return constants(json.loads((files(__package__) / "memory.json").read_bytes()))


def memory(question: Question) -> Ledger:
    """Answer a question; what is not modelled comes back as UNKNOWN with its reason."""
    try:
        question, own, known = _understood(question)
        taken = settle(question, known, own)
        storage = storage_of(question, known, taken)
        loading = _loading(question, known, own)
        stages = staged(question, known, loading, storage)
        if question.card.vendor == CPU:
            return _on_host(question, known, taken, stages, storage)
        # All layers are made in the model's own dtype, filled, and then quantized (model_loader/loader.py, DefaultModelLoader;
        # layers/quantization/fp8.py, create_fp8_weight_); sgl-project/sglang#2895 ran out of memory of it at 0.4.
        loaded = peak(question, known, loading, storage)
    except UnmodelledError as stop:
        return stop.ledger
    found = _answer(question, known, taken, stages, storage)
    if loaded is None:
        return found
    return held_to(found, loaded, _free(question, taken), question.card)


def _understood(question: Question) -> tuple[Question, Own, Read]:
    """Take in what `engine_args` and `env` say. `UnmodelledError` where that is more than the equation knows."""
    if not question.options and not question.env:
        return question, replace(PLAIN, most_tokens=question.kv_tokens), read(question, host=True)
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
    rows, split, card = table(), question.split, question.card.memory_gib
    version = question.version or rows.newest
    has = set(traits(question.card, split)) - {"four"} | ({"moe"} if known.shape.moe else set())
    has.add(known.shape.family)
    has |= {f"under{limit}" for limit in (20, 35, 60, 160) if card < limit} | (
        {"over60"} if card > 60 else set()
    )
    has |= {
        name
        for name, many in (("two", 2), ("four", 4), ("eight", 8), ("sixteen", 16))
        if split.tensor >= many
    }
    context = question.context or _longest(known.shape.max_context, own)
    if context is None:
        raise UnmodelledError("config", "config.json states no context, and neither does the question")
    batch = question.batch_tokens or rows.whole("batch_tokens", version, has)
    graphs = rows.whole("graph_batch", version, has)
    # What is stated stands, whatever runs at once (handle_gpu_memory_settings).
    graphs = min(graphs, question.concurrency or graphs) if own.graph_batch is None else own.graph_batch
    return Taken(version, context, batch, 0 if question.eager else graphs, frozenset(has), rows, own)


def _longest(maximum: int | None, own: Own) -> int | None:
    """Return what a request may have where nothing is asked for: no more than a pool whose size is stated.

    Source: SGLang 0.5.23, srt/managers/tp_worker.py, get_worker_info.
    """
    most = None if own.most_tokens is None else own.most_tokens // own.page * own.page
    return maximum if maximum is None or not most else min(maximum, most)


def fraction(
    question: Question, known: Read, taken: Taken, stages: tuple[Stage, ...], storage: Storage
) -> float:
    """Return mem_fraction_static: what is stated, what a share leaves for weights and cache, or what SGLang computes."""
    if question.fraction is not None:
        return question.fraction
    if question.share is not None:
        beside = max(forward_gib(question, known, taken) + graphs_gib(taken, stage) for stage in stages)
        static = budget_gib(question, question.share) - taken.value("context") - beside
        # Fewer tokens than this, for the table itself takes of them, have no larger table.
        budgets = [budget_of(question, taken, stage, storage, static - stage.weights_gib) for stage in stages]
        static -= table_gib(taken, _running(question, taken, _tokens(budgets), budgets))
        return rounded(static / max(_free(question, taken), static))
    if fixed := taken.value("fraction"):
        return fixed
    return own_share(question, known, taken)


def _free(question: Question, taken: Taken) -> float:
    """Return what is free before loading, on a card where others may have started before."""
    return question.card.memory_gib - taken.value("context") - question.used_gib


def _on_host(
    question: Question, known: Read, taken: Taken, stages: tuple[Stage, ...], storage: Storage
) -> Ledger:
    """Answer for a CPU: what SGLang finds free on a node is not known, but that its own share is none of it can be."""
    share, node = fraction(question, known, taken, stages, storage), question.card.memory_gib
    if share > 0 or taken.own.stated_share:
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
        reason=f"memory: SGLang holds back {size(node * (1 - share))} to run in, and may take {size(node)} in all",
        context=taken.context,
        notes=known.notes,
    )


def _loading(question: Question, known: Read, own: Own) -> Loading:
    split = question.split
    return Loading(
        scheme=known.scheme,
        width=known.width,
        pad_vocab=padding(known.shape.vocab, split.tensor),
        expert_ranks=split.tensor,
        whole_experts=split.expert,
        pad_experts=(128, 256),
        tower=question.sees,
        whole_tower=own.whole_tower,
        absorb=True,
        drafting=question.drafter is not None and question.drafter.method == "mtp",
        rope_width=4.0,  # srt/layers/rotary_embedding: fp32
    )


def padding(vocab: int, ranks: int) -> int:
    """Return what the vocabulary is padded to a multiple of: so that it divides, whatever the ranks.

    Source: SGLang 0.5.23, srt/layers/vocab_parallel_embedding.py, VocabParallelEmbedding.__init__.
    """
    return 64 if (vocab + 63) // 64 * 64 % ranks == 0 else 64 * ranks


def _answer(
    question: Question, known: Read, taken: Taken, stages: tuple[Stage, ...], storage: Storage
) -> Ledger:
    # Less than nothing is what SGLang's own rule comes to where its steps are longer than the card holds.
    wanted, free = fraction(question, known, taken, stages, storage), _free(question, taken)
    share = max(wanted, 0.0)
    budgets = [
        budget_of(
            question,
            taken,
            stage,
            storage,
            free * wanted - stage.weights_gib if question.kv_bytes is None else question.kv_bytes / GIB,
        )
        for stage in stages
    ]
    tightest, tokens = min(budgets, key=lambda budget: budget.fits), _tokens(budgets)
    running = _running(question, taken, tokens, budgets)
    ranks: list[Rank] = []
    for stage, budget in zip(stages, budgets, strict=True):
        lines = _lines(question, known, taken, stage, free, share, budget, running)
        ranks += [
            _rank(stage, rank, lines, budget.states + budget.kv) for rank in range(question.split.tensor)
        ]
    margin = min(budget.beyond(taken.context) for budget in budgets)
    spare = min(budget.spare(taken.context) for budget in budgets)
    # Not an error of SGLang's: it warns, and refuses or cuts what is longer (srt/managers/tp_worker.py, get_worker_info). But
    # that is what it warns of, too, where memory holds no more.
    capped = taken.own.most_tokens is not None and margin < 0 <= spare
    left, table = free * (1 - share), table_gib(taken, running)
    verdict, reason = judged(question, left, margin if margin < 0 else spare, ranks)
    if wanted <= 0 and verdict is Verdict.NO:
        reason = nothing_left(question, taken.batch_tokens, taken.graph_batch, wanted, ranks)
    if verdict is not Verdict.NO and table > left:
        verdict, margin, reason = Verdict.NO, left - table, no_table(left, table)
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
        concurrency=question.concurrency or running or None,
        batch_tokens=taken.batch_tokens,
        fraction=round(share, 4),
        kv_bytes_per_request=int(tightest.tokens.each * taken.context),
        limit="max-total-tokens" if capped else None,
        reason=reason,
        notes=(*known.notes, *taken.own.notes, *_cut(known, taken)),
    )


def _cut(known: Read, taken: Taken) -> tuple[str, ...]:
    """Say that requests are shorter than they could be."""
    most, maximum = taken.own.most_tokens, known.shape.max_context
    if most is None or maximum is None or most >= maximum:
        return ()
    return (
        f"no request has more than {most} tokens, as `max-total-tokens` says, and the model has {maximum}",
    )


def _tokens(budgets: list[Budget]) -> int:
    return min(min(budget.fits for budget in budgets), 1 << 40)


def _running(question: Question, taken: Taken, tokens: int, budgets: list[Budget]) -> int:
    """Return max_running_requests: what is asked for, or 512 a full context of tokens within bounds."""
    requests = [budget.requests for budget in budgets if budget.requests is not None]
    most = min(int(tokens / taken.context * 512), int(taken.value("requests_most")))
    return min(question.concurrency or max(most, int(taken.value("requests_least"))), tokens // 2, *requests)


def _lines(
    question: Question,
    known: Read,
    taken: Taken,
    stage: Stage,
    free: float,
    share: float,
    budget: Budget,
    running: int,
) -> tuple[Line, ...]:
    lines = [
        *stage.weights,
        Line(
            "activation",
            forward_gib(question, known, taken),
            f"a layer: {taken.batch_tokens} tokens (chunked_prefill_size), outside the share [F]",
        ),
        Line(
            "activation",
            table_gib(taken, running),
            f"where the tokens are of {running} requests (max_running_requests) of {taken.context}, outside the share",
        ),
        Line(
            "nontorch", taken.value("context"), "CUDA, NCCL and cuBLAS, before SGLang looks what is free [M]"
        ),
        Line(
            "cuda_graphs",
            graphs_gib(taken, stage),
            f"graphs up to a batch of {taken.graph_batch}, outside the share [F]",
        ),
    ]
    if budget.states:
        lines.append(Line("kv", budget.states, "Mamba Cache: the states of running requests"))
    rule = f"KV Cache: {share:.3f} of the {free:.2f} GiB that are free before loading, less the weights"
    if question.card_fraction is not None:
        rule += f" ({question.card_fraction:g} of the card, less what stands outside)"
    if taken.own.most_tokens is not None:
        rule += f", and no more than {taken.own.most_tokens} tokens, as `max-total-tokens` says"
        rule += (
            "; SGLang starts, and refuses or cuts longer requests"
            if taken.own.most_tokens < taken.context
            else ""
        )
    return (*lines, Line("kv", budget.kv, rule))


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

    Its share is of weights and KV cache alone, and of what is free: what stands outside of it is taken off first, which may
    leave less than nothing.
    """
    found = memory(replace(question, card_fraction=None, share=None))
    if found.usable_gib is None or not found.ranks or question.card_fraction is None:
        return None
    left = question.card.memory_gib * question.card_fraction - max(map(outside, found.ranks))
    return floor(left / found.usable_gib * 1000) / 1000

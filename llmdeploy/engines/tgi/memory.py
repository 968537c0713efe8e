"""TGI's warm-up: it runs its largest prefill, and divides what is then free, but for a tenth of the card, into blocks.

Source: TGI 3.3.7, server/text_generation_server/models/flash_causal_lm.py (warmup) and utils/import_utils.py
(get_cuda_free_memory: the tenth is of all memory, not of what is free). What the prefill took stays with PyTorch, and is not
free; the blocks that it ran with are added again.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from llmdeploy.engines.tgi.options import PLAIN, Own, applied
from llmdeploy.engines.tgi.prefill import in_one_step
from llmdeploy.memory.cards import traits
from llmdeploy.memory.constants import Constants, constants
from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.kv import Storage
from llmdeploy.memory.model import Ledger, Line, Question, Rank
from llmdeploy.memory.options import of_engine, traits_of
from llmdeploy.memory.scheme import WIDTHS
from llmdeploy.memory.share import budget_gib, rounded
from llmdeploy.memory.sizes import size
from llmdeploy.memory.stage import Read, Stage, read, staged
from llmdeploy.memory.verdict import judge
from llmdeploy.memory.weights import GIB, Loading


@cache
def table() -> Constants:
    return constants(json.loads((files(__package__) / "memory.json").read_bytes()))


def memory(question: Question) -> Ledger:
    """Answer a question; what is not modelled comes back as UNKNOWN with its reason."""
    try:
        known = read(question)
        _check(question, known)
        own = _understood(question, known)
        stated = question.kv_dtype if question.kv_dtype != "auto" else None
        element = known.width if stated is None else float(WIDTHS.get(stated, 1))
        # Windows are not given back: a block table is as long as the request.
        storage = Storage(element=element, block=question.block_size or own.block, hybrid=False)
        # layers/tensor_parallel.py: TensorParallelEmbedding and TensorParallelHead do not pad.
        loading = Loading(known.scheme, known.width, pad_vocab=1, expert_ranks=question.split.tensor)
        (stage,) = staged(question, known, loading, storage)
    except UnmodelledError as stop:
        return stop.ledger
    return _answer(question, known, stage, own)


def _understood(question: Question, known: Read) -> Own:
    """Take in what `engine_args` and `env` say. `UnmodelledError` where that is more than the equation knows."""
    if not question.options and not question.env:
        return PLAIN
    from llmdeploy.engines.arguments.stated import (
        said,
    )  # who states none does not pay for the catalog of flags

    stated = said(question, __package__)
    of_engine(__package__).check(stated, traits_of(question, known))
    return applied(stated)


def _check(question: Question, known: Read) -> None:
    if question.split.pipeline > 1:
        raise UnmodelledError("split", "TGI has no pipeline stages")
    kinds = {layer.cache.kind for layer in known.shape.layers if layer.cache is not None}
    if kinds & {"latent", "state"}:
        raise UnmodelledError("architecture", "how TGI caches latent attention and states is not modelled")
    if question.context is None and known.shape.max_context is None:
        raise UnmodelledError("config", "config.json states no context, and neither does the question")


def _fraction(question: Question, default: float) -> float:
    """Return CUDA_MEMORY_FRACTION. What is left of it is what others do not hold (utils/import_utils.py,
    get_cuda_free_memory: free − (1 − fraction) × total), so that what they hold is added to a share.
    """
    if question.fraction is not None:
        return question.fraction
    if question.share is None:
        return default
    return rounded((budget_gib(question, question.share) + question.used_gib) / question.card.memory_gib)


def _answer(question: Question, known: Read, stage: Stage, own: Own) -> Ledger:
    rows, version, made, tensor = table(), question.version, known.shape, question.split.tensor
    has = traits(question.card, question.split)
    fraction = _fraction(question, rows.value("fraction", version))
    context = question.context or made.max_context or 0
    batch = question.batch_tokens or rows.whole("batch_tokens", version)
    whole = in_one_step(question.card.vendor, question.drafter is not None, own.chunking, own.attention)
    if question.batch_tokens is None and whole:
        batch = max(batch, context)
    wide = made.intermediate if made.moe is None else max(made.intermediate, made.moe.intermediate)
    peak = (
        batch * known.width * (3 * wide / tensor + rows.value("forward_hidden", version) * made.hidden) / GIB
    )
    beside = rows.value("context", version, has)
    each = stage.pool.bytes_per_token
    warmed = batch * each / GIB
    total = question.card.memory_gib
    usable = total * fraction - beside - question.used_gib
    free = usable - stage.weights_gib - peak - warmed
    room = rows.value("wiggle_room", version) if own.room is None else own.room
    kept = total * fraction * (1 - room)
    kv = max(free - kept, 0.0) + warmed if question.kv_bytes is None else question.kv_bytes / GIB
    lines = (
        *stage.weights,
        Line("activation", peak, f"the largest prefill: {batch} tokens (max_batch_prefill_tokens) [F]"),
        Line("nontorch", beside, "CUDA, NCCL and cuBLAS [M]"),
        Line(
            "kv", kv, f"KV-cache blocks: what is free after that prefill but for {kept:.1f} GiB, and its own"
        ),
    )
    ranks = tuple(
        Rank(0, rank, stage.weights_gib, peak, beside, 0.0, kv, lines)
        for _ in range(question.split.data)
        for rank in range(tensor)
    )
    margin, reason = kv - context * each / GIB, None
    if question.kv_bytes is None and free < min(margin, 0.0):
        margin = free
        reason = f"prefill: its largest prefill, of {batch} tokens, finds {size(-free)} too little"
    elif question.kv_bytes is None:
        margin = min(margin, free)
    block = stage.pool.storage.block
    tokens = max(0, int(kv * GIB // each)) // block * block if each else 0
    return Ledger(
        judge(margin, total),
        margin_gib=margin,
        usable_gib=usable,
        ranks=ranks,
        kv_tokens=tokens,
        requests_at_context=tokens / context,
        max_sequences=min(tokens, question.concurrency or rows.whole("requests", version)),
        bytes_per_token=int(each),
        context=context,
        concurrency=question.concurrency,
        batch_tokens=batch,
        fraction=fraction,
        kv_bytes_per_request=int(context * each),
        reason=reason,
        notes=known.notes,
    )

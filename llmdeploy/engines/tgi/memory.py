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
from llmdeploy.engines.tgi.warmup import Warmup, warmed
from llmdeploy.memory.constants import Constants, constants
from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.kv import Storage
from llmdeploy.memory.model import Ledger, Line, Question, Rank
from llmdeploy.memory.options import of_engine, traits_of
from llmdeploy.memory.scheme import WIDTHS
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
    return _answer(question, known, stage, warmed(question, known, stage, own, table()))


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


def _answer(question: Question, known: Read, stage: Stage, warm: Warmup) -> Ledger:
    each, block = stage.pool.bytes_per_token, stage.pool.storage.block
    margin, reason = _left(question, warm, warm.context * each / GIB)
    tokens = max(0, int(warm.kv * GIB // each)) // block * block if each else 0
    return Ledger(
        judge(margin, question.card.memory_gib, question.card.vendor),
        margin_gib=margin,
        usable_gib=warm.usable,
        ranks=_ranks(question, stage, warm),
        kv_tokens=tokens,
        requests_at_context=tokens / warm.context,
        max_sequences=min(tokens, question.concurrency or table().whole("requests", question.version)),
        bytes_per_token=int(each),
        context=warm.context,
        concurrency=question.concurrency,
        batch_tokens=warm.batch,
        fraction=warm.fraction,
        kv_bytes_per_request=int(warm.context * each),
        reason=reason,
        notes=known.notes,
    )


def _ranks(question: Question, stage: Stage, warm: Warmup) -> tuple[Rank, ...]:
    prefill = f"the largest prefill: {warm.batch} tokens (max_batch_prefill_tokens) [F]"
    blocks = f"KV-cache blocks: what is free after that prefill but for {warm.kept:.1f} GiB, and its own"
    lines = (
        *stage.weights,
        Line("activation", warm.peak, prefill),
        Line("nontorch", warm.beside, "CUDA, NCCL and cuBLAS [M]"),
        Line("kv", warm.kv, blocks),
    )
    return tuple(
        Rank(0, rank, stage.weights_gib, warm.peak, warm.beside, 0.0, warm.kv, lines)
        for _ in range(question.split.data)
        for rank in range(question.split.tensor)
    )


def _left(question: Question, warm: Warmup, request: float) -> tuple[float, str | None]:
    """Return what is left beyond one request, and why where the prefill finds no room: blocks are counted after it."""
    margin = warm.kv - request
    if question.kv_bytes is not None:
        return margin, None
    if warm.free < min(margin, 0.0):
        lacks = size(-warm.free)
        return warm.free, f"prefill: its largest prefill, of {warm.batch} tokens, finds {lacks} too little"
    return min(margin, warm.free), None

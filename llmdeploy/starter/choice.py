"""Which model a pool gets, and with what: small, without a licence to accept, and certain to start."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from llmdeploy import catalog
from llmdeploy.engines.limits import Limits
from llmdeploy.plan.parallelism import divides
from llmdeploy.starter.pools import Pool

# (GiB of a GPU, model, tokens). Weights in 16 bits: 15.3, 7.5, 3.2 and 1.1 GiB; 16384 tokens of KV cache
# take 2.25 GiB for the first two. A card sold with 24 GB offers 22 GiB, one with 16 GB offers 14.5 GiB.
_LADDER = (
    (36, "Qwen/Qwen3-8B", 32768),
    (21, "Qwen/Qwen3-8B", 16384),
    (14, "Qwen/Qwen3-4B", 16384),
    (7, "Qwen/Qwen3-1.7B", 8192),
    (0, "Qwen/Qwen3-0.6B", 8192),
)
_CPU = ("Qwen/Qwen2.5-0.5B-Instruct", 4096)

_UNKNOWN_CONTEXT = 8192
_BILLIONS = re.compile(r"(?:(\d+)x)?(\d+(?:\.\d+)?)b(?![a-z])", re.IGNORECASE)
_STRICTEST = Limits(vocabulary=64)
"""So that the number of GPUs suits whichever engine is chosen."""
_ROOM = 1.3
"""Memory for each byte of weights, so that a KV cache is left."""


class Choice(Struct, frozen=True):
    source: str
    gpus: int
    context: int | None
    dtype: str | None
    concurrency: int | None
    gated: bool

    @property
    def openllm(self) -> bool:
        return ":" in self.source

    @property
    def is_path(self) -> bool:
        return self.source.startswith((".", "/", "~"))


def choose(pool: Pool, model: str | None) -> Choice:
    """Choose a model for the pool, or the settings of the one that is asked for."""
    on_cpu = pool.vendor == "cpu"
    rungs = ((name, tokens) for least, name, tokens in _LADDER if pool.memory_gib >= least)
    source, context = _CPU if on_cpu else next(rungs)
    bento = catalog.bento(model) if model else None
    hub = bento.hub_id if bento else model or source
    facts = catalog.model(hub)
    known = facts.max_context if facts else None
    if model is not None:
        context = min(context, known or _UNKNOWN_CONTEXT)
    return Choice(
        source=model or source,
        gpus=1 if on_cpu or model is None else _gpus(hub, facts, pool),
        context=None if bento else context,
        dtype="bfloat16" if on_cpu else "float16" if _lacks_bfloat16(pool) else None,
        concurrency=4 if on_cpu else None,
        gated=catalog.gated(hub),
    )


def larger(choice: Choice, pool: Pool) -> Choice | None:
    """Return the same on the next number of GPUs that the model divides over; None where the pool has no more."""
    more = (n for n in _legal(catalog.model(choice.source), pool) if n > choice.gpus)
    count = next(more, None)
    return None if count is None else replace(choice, gpus=count)


def smaller(choice: Choice, pool: Pool) -> Choice | None:
    """Return the next smaller of the models that are chosen without being asked for; None for the smallest."""
    rungs = [(name, tokens) for _, name, tokens in _LADDER]
    at = (
        rungs.index((choice.source, choice.context or 0))
        if (choice.source, choice.context) in rungs
        else None
    )
    if at is None or at + 1 == len(rungs):
        return None
    source, context = rungs[at + 1]
    return replace(choice, source=source, context=context, gated=catalog.gated(source))


def _lacks_bfloat16(pool: Pool) -> bool:
    return pool.capability is not None and float(pool.capability) < 8


def _gpus(hub: str, facts: catalog.ModelFacts | None, pool: Pool) -> int:
    """Return how many GPUs the weights probably take, going by the size in the model's name."""
    size = _BILLIONS.search(hub)
    quantized = facts is not None and facts.quantization not in (None, "plain")
    weights_gib = int(size[1] or 1) * float(size[2]) * (1 if quantized else 2) / 1.074 if size else 0
    legal = _legal(facts, pool)
    return next((n for n in legal if weights_gib * _ROOM <= n * pool.memory_gib), legal[-1])


def _legal(facts: catalog.ModelFacts | None, pool: Pool) -> list[int]:
    powers = [n for n in range(1, pool.free + 1) if n & (n - 1) == 0]
    return [n for n in powers if facts is None or divides(facts, _STRICTEST, n)]

"""Does the model divide over its GPUs, and is it asked for no more than it can?"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from llmdeploy.catalog import ModelFacts
from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note, Place
from llmdeploy.plan.placement import pool_of
from llmdeploy.spec.model import Model

_VOCABULARY_PADDING = 64
"""Engines pad the vocabulary to a multiple of this before they shard it (vLLM: vocab_parallel_embedding.py)."""


def tensor_size(model: Model) -> int:
    """Return the tensor-parallel size, stated or what is left of the GPUs; 0 where nothing divides."""
    others = model.parallel.pipeline * model.parallel.data
    if model.parallel.tensor is not None:
        return model.parallel.tensor
    return model.gpus.count // others if model.gpus.count % others == 0 else 0


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        facts = context.model_facts(name)
        yield from _product(name, model)
        if facts is not None:
            yield from _heads(name, model, facts)
            yield from _context(name, model, facts)
            yield from _checkpoint(name, model, facts)
            yield from _quantization(name, model, facts)
        yield from _dtype(context, name, model)
        yield from _remote_code(name, model)


def _product(name: str, model: Model) -> Iterator[Diagnostic]:
    parallel, count = model.parallel, model.gpus.count
    tensor = tensor_size(model)
    if tensor and tensor * parallel.pipeline * parallel.data == count:
        return
    stated = " × ".join(
        f"{key} {value}"
        for key, value in (
            ("tensor", parallel.tensor),
            ("pipeline", parallel.pipeline),
            ("data", parallel.data),
        )
        if value is not None
    )
    yield Diagnostic(
        "LD301",
        f"{stated} do not multiply to the {count} GPUs of `{name}`",
        ("models", name, "parallel"),
        help="tensor × pipeline × data must equal gpus.count; leave `tensor` out and it becomes what is left",
    )


def divides(facts: ModelFacts, size: int) -> bool:
    """Tell whether attention heads, KV heads and vocabulary shard over `size` GPUs.

    KV heads are replicated where there are fewer of them than GPUs, so either may divide the other.
    """
    if facts.heads is None:
        return True
    kv = facts.kv_heads or facts.heads
    vocabulary = ceil((facts.vocab or 0) / _VOCABULARY_PADDING) * _VOCABULARY_PADDING
    return facts.heads % size == 0 and (kv % size == 0 or size % kv == 0) and vocabulary % size == 0


def _heads(name: str, model: Model, facts: ModelFacts) -> Iterator[Diagnostic]:
    size = tensor_size(model)
    if size <= 1 or divides(facts, size):
        return
    legal = [n for n in range(1, max(65, size + 1)) if divides(facts, n)]
    stated = model.parallel.tensor is not None
    yield Diagnostic(
        "LD302",
        f"`{name}` has {facts.heads} attention heads and {facts.kv_heads or facts.heads} KV heads, "
        f"which do not divide over {size} tensor-parallel GPUs",
        ("models", name, "parallel", "tensor") if stated else ("models", name, "gpus"),
        help="tensor sizes that do: "
        + ", ".join(str(n) for n in legal)
        + "; or split by layers with `parallel.pipeline`",
    )


def _context(name: str, model: Model, facts: ModelFacts) -> Iterator[Diagnostic]:
    if model.context is not None and facts.max_context is not None and model.context > facts.max_context:
        yield Diagnostic(
            "LD305",
            f"`{name}` handles {facts.max_context} tokens at most, {model.context} are asked for",
            ("models", name, "context"),
            help=f"set `context: {facts.max_context}` or less, or leave it out",
        )


def _quantization(name: str, model: Model, facts: ModelFacts) -> Iterator[Diagnostic]:
    """Engines refuse to start where the flag and the checkpoint disagree (vLLM: config/model.py)."""
    stated, checkpoint = model.quantization, facts.quantization
    if stated is not None and checkpoint is not None and stated != checkpoint:
        yield Diagnostic(
            "LD309",
            f"the checkpoint of `{name}` is quantized already ({checkpoint}), `{stated}` cannot be put on top",
            ("models", name, "quantization"),
            help="leave `quantization` out, or take the checkpoint that is not quantized",
        )


def _dtype(context: Context, name: str, model: Model) -> Iterator[Diagnostic]:
    """Find what vLLM and SGLang refuse when they start: bfloat16 came with compute capability 8.0."""
    pool = context.pools.get(pool_of(context.spec, name) or "")
    if model.dtype != "bfloat16" or pool is None or pool.capability is None or float(pool.capability) >= 8:
        return
    stated = ("gpus", pool.name, "type" if context.spec.gpus[pool.name].capability is None else "capability")
    yield Diagnostic(
        "LD309",
        f"the GPUs of `{pool.name}` have compute capability {pool.capability}, bfloat16 needs 8.0",
        ("models", name, "dtype"),
        help="write `dtype: float16`",
        notes=(Note("the GPU", stated),),
    )


def _checkpoint(name: str, model: Model, facts: ModelFacts) -> Iterator[Diagnostic]:
    """AWQ and GPTQ weights are made beforehand; no engine makes them when it starts."""
    if model.quantization in ("awq", "gptq") and facts.quantization is None:
        yield Diagnostic(
            "LD309",
            f"`{model.quantization}` is a format of checkpoints, and that of `{name}` is not quantized",
            ("models", name, "quantization"),
            help=f"name a checkpoint in {model.quantization.upper()} as `source`, or write `quantization: fp8`",
        )


def _remote_code(name: str, model: Model) -> Iterator[Diagnostic]:
    pinned = (
        model.revision is not None
        and len(model.revision) == 40
        and all(c in "0123456789abcdef" for c in model.revision)
    )
    if model.trust_remote_code and model.source.path is None and not pinned:
        yield Diagnostic(
            "LD312",
            f"`{name}` would run whatever code its repository holds on the day it starts",
            ("models", name, "trust_remote_code"),
            help="pin `revision` to a full commit (40 hex digits) that you have read",
            place=Place.VALUE,
        )

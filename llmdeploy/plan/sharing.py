"""Does a model keep to its share of a card? What its ledger, and what it states beside, say of that."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note
from llmdeploy.memory import Ledger, Verdict
from llmdeploy.plan import restarts
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.placement import pool_of
from llmdeploy.plan.sizing import equation, question


def findings(
    context: Context, name: str, values: Mapping[str, Any], ledger: Ledger | None
) -> Iterator[Diagnostic]:
    """Yield what keeps a share from being kept. `values` are the model's settings, as they were sized."""
    pool = context.pools[pool_of(context.spec, name) or ""]
    if context.spec.models[name].gpus.share is None or not pool.divisible:
        return
    if (reason := _unbounded(context, name, pool, ledger)) is not None:
        message, help = reason
        yield Diagnostic("LD358", message, ("models", name, "gpus", "share"), help)
        return
    found = [*_larger_fraction(context, name, values, pool), *_uneven(context, name, values, pool)]
    yield from found
    if not found and ledger is not None:
        yield from restarts.findings(context, name, values, pool, ledger)


def _unbounded(context: Context, name: str, pool: Hardware, ledger: Ledger | None) -> tuple[str, str] | None:
    """Return why nobody knows what the model will take, and what would help."""
    engine = context.engines[context.engine_of(name)]
    version = context.spec.models[name].engine_version or engine.versions[0]
    if not any(engine.takes(each, version, pool.vendor) for each in ("memory_fraction", "static_fraction")):
        message = f"{engine.title} does not take a fraction of a card, and leaves nothing to others"
        return message, "take another engine, or give the model a card of its own"
    if ledger is None:
        message = f"the memory of the GPUs of `{pool.name}` is not known, and no share of it"
        return message, f"state it: `{pool.name}: {{memory: 48GiB}}`"
    if ledger.verdict is Verdict.UNKNOWN:
        message = (
            f"what `{name}` takes of a card is not known, so that no other can share it: {ledger.reason}"
        )
        help = "state what its config.json says under `architecture`, or give the model a card of its own"
        return message, help
    return None


def _larger_fraction(
    context: Context, name: str, values: Mapping[str, Any], pool: Hardware
) -> Iterator[Diagnostic]:
    model = context.spec.models[name]
    if model.memory_fraction is None:
        return
    (most, *_), (stated, *_) = (
        _fractions(context, name, values, pool, fraction) for fraction in (None, model.memory_fraction)
    )
    if stated is not None and most is not None and stated > most:
        message = (
            f"with `memory_fraction: {model.memory_fraction:g}`, `{name}` takes more than its share of a card"
        )
        help = "leave it out: the share sets it, and keeps room for what CUDA takes beside it and for the estimate's error"
        note = Note(f"{model.gpus.share:g} of each card", ("models", name, "gpus", "share"))
        yield Diagnostic("LD358", message, ("models", name, "memory_fraction"), help, (note,))


def _uneven(context: Context, name: str, values: Mapping[str, Any], pool: Hardware) -> Iterator[Diagnostic]:
    """A fraction of what is free is another one beside every neighbour, and all replicas have one command line."""
    if len(set(_fractions(context, name, values, pool))) > 1:
        others = " and ".join(f"`{each}`" for each in context.seating(pool).earlier(name))
        message = f"replicas of `{name}` find different shares taken by {others}, and its engine's fraction is of what is free"
        help = "put it before the models that it shares cards with, or take vLLM, whose fraction is of the whole card"
        yield Diagnostic("LD358", message, ("models", name, "gpus", "share"), help)


def _fractions(
    context: Context, name: str, values: Mapping[str, Any], pool: Hardware, stated: float | None = None
) -> list[float | None]:
    """Return the engine's own fraction for each replica: what keeps it within its share, or what is stated."""
    asked, ask = question(context, name, values, pool), equation(context, name)
    if asked is None or pool.memory_gib is None:
        return [None]
    held = context.seating(pool).held(name) or (0.0,)
    alone = replace(asked, card_fraction=stated, kv_bytes=None)
    return [ask(replace(alone, used_gib=pool.memory_gib * much)).fraction for much in held]

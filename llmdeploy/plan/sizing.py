"""What the memory of its GPUs makes of a model: the question to its engine, and what follows from the ledger.

What the plan was made with is pinned, so that it does not rest on defaults that another release changes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from llmdeploy.checks.context import Context
from llmdeploy.engines.base import argument, calibration_of
from llmdeploy.memory import Adapters, Card, Drafter, Ledger, Question, Split, Verdict
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.model import Why
from llmdeploy.plan.placement import host_memory, pool_of
from llmdeploy.plan.quantization import Problem, choose
from llmdeploy.spec.model import Model
from llmdeploy.spec.types import AUTO

_TOGETHER = 8
"""Requests that a context is made for where both are left open, down to `_SHORT` tokens."""
_SHORT = 8192
_FOR_SOME = f" {_TOGETHER} times, or {_SHORT}"
_STEPS = (1024, 256, 16)
"""A context that is solved for is a multiple of the first of these that fits."""

_SLACK_GIB = 0.01
"""A pool is of whole tokens."""
_BOUNDED = "the tokens that the share of a card holds, and no more where its neighbours have yet to start"

_STATIC = "static_fraction"
_PINNED = ("concurrency", "batch_tokens", "memory_fraction", _STATIC)

Ask = Callable[[Question], Ledger]


class Sized(Struct, frozen=True):
    """`values` are the settings that follow from the ledger, to be added to what is stated; `why` has their reasons."""

    ledger: Ledger | None = None
    values: Mapping[str, Any] = {}
    why: tuple[Why, ...] = ()


def size(context: Context, name: str, values: Mapping[str, Any], pool: Hardware) -> Sized:
    """Ask the engine of a model, and solve for what llm.yaml leaves open. `values` are its neutral settings."""
    engine = context.engines[context.engine_of(name)]
    asked = question(context, name, values, pool)
    if asked is None:
        return Sized(None, _unsolved(values))
    if not asked.model.config and asked.model.tensors is None:
        return Sized(Ledger(Verdict.UNKNOWN, reason=_nothing_known(context, name, asked)), _unsolved(values))
    if (word := impossible(context, name, pool)) is not None:
        reason = f"quantization: `{word}` cannot be had here, and nothing else is asked for"
        return Sized(Ledger(Verdict.UNKNOWN, reason=reason), _unsolved(values))
    ask = equation(context, name)
    asked, why = _solved(asked, values, ask)
    if engine.takes("kv_tokens", asked.version or "", pool.vendor):
        asked = _bounded(asked, context.seating(pool).beside(name), ask)
    found = ask(asked)
    if found.verdict is Verdict.UNKNOWN:
        # Nothing was planned, so nothing is pinned: the engine knows its model better.
        return Sized(found, _unsolved(values))
    pool_bytes = _kept(asked, found) if engine.takes("kv_bytes", asked.version or "", pool.vendor) else None
    if pool_bytes is not None:
        found = ask(replace(asked, kv_bytes=pool_bytes))
    taken = _taken(found)
    solved = {setting: value for setting, value in taken.items() if values.get(setting) == AUTO}
    pins = {
        setting: value
        for setting, value in taken.items()
        # Nothing that does not run is worth keeping, but for what llm.yaml states in other words.
        if (found.verdict is not Verdict.NO or (setting == _STATIC and asked.card_fraction is not None))
        and setting in _PINNED
        and setting not in solved
        and values.get(setting) != value
        and engine.takes(setting, asked.version or "", pool.vendor)
    }
    why += [_pinned(setting, value, values, asked.share, found.bounded) for setting, value in pins.items()]
    if pool_bytes is not None:
        pins["kv_bytes"] = pool_bytes
    if asked.kv_tokens is not None and found.verdict is not Verdict.NO:
        pins["kv_tokens"] = asked.kv_tokens
        why.append(Why("gpus.share", str(asked.kv_tokens), _BOUNDED))
    if _STATIC in pins:
        pins["memory_fraction"] = None  # said by the other
    return Sized(found, {**_unsolved(values), **solved, **pins}, tuple(why))


def stated_as(model: Model, flag: str | None) -> str | None:
    """Return the key of `engine_args` that gives a flag."""
    return next((key for key in model.engine_args if argument(key) == flag), None)


def impossible(context: Context, name: str, pool: Hardware) -> str | None:
    """Return the quantization that plain weights were to have and cannot, as a check says with its remedy.

    What they take without it is not what llm.yaml asks for.
    """
    model = context.spec.models[name]
    if model.quantization in (None, "none"):
        return None
    facts, limits = context.model_facts(name), context.limits_of(name)
    found = choose(model.quantization, facts, limits, pool, own_image=model.image is not None).problem
    return model.quantization if found not in (None, Problem.QUANTIZED_OTHERWISE) else None


def _kept(asked: Question, found: Ledger) -> int | None:
    """Return the pool of an engine that shares its card, in whole MiB.

    A pinned pool is not measured, so that what the neighbours do meanwhile does not matter (vLLM 0.33,
    v1/worker/gpu_worker.py, determine_available_memory); the fraction is still asked for at the start (request_memory).
    """
    if asked.share is None or asked.kv_bytes is not None:
        return None
    return int(min((rank.kv_gib for rank in found.ranks), default=0.0) * 1024) << 20 or None


def equation(context: Context, name: str) -> Ask:
    """Return what answers for a model: its engine, and what was measured of it."""
    answers = context.engines[context.engine_of(name)].memory
    pool = context.pools.get(pool_of(context.spec, name) or "")
    # A slice is not the card that was measured.
    if not context.facts.corrections or pool is None or pool.sliced:
        return answers
    from llmdeploy.memory.corrections import asking

    return asking(answers, context.facts.corrections)


def question(context: Context, name: str, values: Mapping[str, Any], pool: Hardware) -> Question | None:
    """Put a model's settings as a question; None where the pool's memory, or the engine's equation, is not known."""
    model = context.spec.models[name]
    # Nothing spreads over slices of a GPU, or over nodes without one, as a check says.
    if pool.memory_gib is None or ((pool.sliced or pool.is_cpu) and model.gpus.count > 1):
        return None
    engine = context.engines[context.engine_of(name)]
    if not hasattr(engine, "memory"):  # one of another package
        return None
    facts = context.model_facts(name)
    held = context.seating(pool).held(name)
    plain = facts is None or facts.quantization in (None, "plain")
    adapters = model.adapters or {}
    version = model.engine_version or engine.versions[0]
    return Question(
        engine=engine.name,
        version=version,
        calibration=calibration_of(engine, version),
        model=context.checkpoint(name),
        card=card(pool, host_memory(context.spec, pool)),
        split=Split(
            tensor=values.get("tensor", 1),
            pipeline=values.get("pipeline", 1),
            data=values.get("data", 1),
            expert=values.get("expert", False),
        ),
        card_fraction=None if pool.is_cpu else values.get("memory_fraction"),
        share=model.gpus.share if pool.divisible else None,
        used_gib=pool.memory_gib * max(held, default=0.0) if pool.divisible else 0.0,
        kv_bytes=values.get("kv_bytes"),
        context=_number(values.get("context")),
        concurrency=_number(values.get("concurrency")),
        batch_tokens=values.get("batch_tokens"),
        dtype=values.get("dtype", "auto"),
        quantization=values.get("quantization") if plain else None,
        kv_dtype=values.get("kv_dtype", "auto"),
        prefix_caching=values.get("prefix_caching", True),
        adapters=Adapters(len(adapters), max(each.rank for each in adapters.values())) if adapters else None,
        drafter=_drafter(context, name),
        items=values.get("multimodal"),
        embed=values.get("embed", False),
        options=model.engine_args,
        env=model.env,
    )


def card(pool: Hardware, share: float | None = None) -> Card:
    """Return one GPU of a pool whose memory is known; of a node without GPUs, the `share` of its memory."""
    return Card(
        vendor=pool.vendor,
        memory_gib=share or pool.memory_gib or 0.0,
        id=pool.gpu,
        name=pool.title,
        capability=pool.capability,
        arch=pool.arch,
    )


def _drafter(context: Context, name: str) -> Drafter | None:
    stated = context.spec.models[name].speculative
    if stated is None:
        return None
    return Drafter(stated.method, stated.tokens, context.drafter(name))


def _nothing_known(context: Context, name: str, asked: Question) -> str:
    here = context.spec.models[name].source.path is not None
    read = "see that it is there and can be read" if here else "read it with `--online`"
    remedy = f"{read}, or state its shape under `architecture`"
    return f"config: no config.json of `{asked.model.id}` is known; {remedy}"


def _number(value: int | None) -> int | None:
    return None if value == AUTO else value


def _unsolved(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what stands for `auto` where nothing can be solved: the engine's own default."""
    return {setting: None for setting in ("context", "concurrency") if values.get(setting) == AUTO}


def _bounded(asked: Question, beside: float, ask: Ask) -> Question:
    """Return the question of an engine whose fraction is of what is free, as it is whoever else has started.

    The fraction is then of what all neighbours leave, as when it starts again beside them; where they have yet to
    start, the tokens of its pool are the most that it takes. The question is as it was where they do not bound it.
    """
    if asked.share is None or not asked.calibration.of_free or not beside:
        return asked
    found = ask(asked)
    if found.verdict not in (Verdict.FITS, Verdict.TIGHT) or not found.kv_tokens or not found.fraction:
        return asked
    there = beside * asked.card.memory_gib
    plain = replace(asked, share=None, card_fraction=None, fraction=found.fraction, kv_tokens=found.kv_tokens)
    now, then = (ask(replace(plain, used_gib=used)).usable_gib or 0.0 for used in (asked.used_gib, there))
    fraction = math.ceil(found.fraction * now / then * 1000) / 1000 if then > 0 else 1.0
    alone = ask(replace(plain, fraction=fraction, used_gib=0.0))
    most, more = (max((rank.kv_gib for rank in each.ranks), default=0.0) for each in (found, alone))
    if fraction >= 1 or more > most + _SLACK_GIB:
        return asked
    return replace(asked, card_fraction=None, fraction=fraction, used_gib=there, kv_tokens=found.kv_tokens)


def _taken(ledger: Ledger) -> dict[str, Any]:
    stated = {
        "context": ledger.context,
        "concurrency": ledger.concurrency,
        "batch_tokens": ledger.batch_tokens,
        "memory_fraction": ledger.fraction,
        _STATIC: ledger.fraction,
    }
    return {setting: value for setting, value in stated.items() if value is not None}


def _pinned(
    setting: str, value: Any, values: Mapping[str, Any], share: float | None, bounded: bool = False
) -> Why:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    stated = values.get("memory_fraction")
    if setting == _STATIC and stated is not None:
        return Why(
            "memory_fraction",
            text,
            f"what {stated:g} of the whole card comes to for weights and KV cache alone",
        )
    if share is not None and setting in ("memory_fraction", _STATIC):
        return Why("memory_fraction", text, f"keeps all that the engine takes within {share:g} of the card")
    if setting == "concurrency" and bounded:
        return Why(setting, text, "the engine starts with no more than there are blocks of states")
    because = "what the memory was planned with: the engine's own default for this card, pinned"
    return Why("memory_fraction" if setting == _STATIC else setting, text, because)


def _solved(asked: Question, values: Mapping[str, Any], ask: Ask) -> tuple[Question, list[Why]]:
    """Solve for the context first, at the engine's own concurrency, then for how many requests of it fit."""
    why: list[Why] = []
    if values.get("context") == AUTO:
        both = values.get("concurrency") == AUTO
        length = shared(asked, ask) if both else longest(asked, ask)
        asked = replace(asked, context=length)
        why.append(
            Why("context", str(length), f"the most that fits{_FOR_SOME if both else ''} (`context: auto`)")
        )
    if values.get("concurrency") == AUTO:
        many = most(asked, ask)
        asked = replace(asked, concurrency=many)
        why.append(Why("concurrency", str(many), "as many as fit at full length (`concurrency: auto`)"))
    return asked, why


def shared(asked: Question, ask: Ask) -> int | None:
    """Return the longest context of which some requests fit at once: one that takes all the cache serves nobody else."""
    length = longest(asked, ask, _TOGETHER)
    if length is None or length >= _SHORT:
        return length
    alone = longest(asked, ask)
    return alone if alone is None else min(alone, _SHORT)


def longest(asked: Question, ask: Ask, at_once: int = 1) -> int | None:
    """Return the longest context that fits, up to the model's own maximum; the smallest step where none does."""

    def fits(length: int | None) -> bool:
        ledger = ask(replace(asked, context=length))
        return ledger.verdict is Verdict.FITS and (ledger.requests_at_context or 0) >= at_once

    whole = ask(replace(asked, context=None))
    most = whole.context
    if most is None or whole.verdict is Verdict.UNKNOWN or fits(None):
        return most
    for step in _STEPS:
        found = _last(most // step, lambda steps: fits(steps * step))  # noqa: B023
        if found:
            return found * step
    return _STEPS[-1]


def most(asked: Question, ask: Ask) -> int:
    """Return how many requests of full length run at once, up to what the engine takes by itself; at least 1."""
    free = ask(replace(asked, concurrency=None))
    default = free.concurrency or int(free.requests_at_context or 1)
    return _last(default, lambda many: _holds(ask(replace(asked, concurrency=many)), many)) or 1


def _holds(ledger: Ledger, many: int) -> bool:
    return ledger.verdict is not Verdict.NO and (ledger.requests_at_context or 0) >= many


def _last(end: int, holds: Callable[[int], bool]) -> int:
    """Return the last of 1 … end for which `holds` is true, where it is so from 1 up to some number; 0 for none."""
    low, high = 0, end
    while low < high:
        middle = (low + high + 1) // 2
        if holds(middle):
            low = middle
        else:
            high = middle - 1
    return low

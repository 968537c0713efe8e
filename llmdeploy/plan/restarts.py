"""What starts again on a shared card finds all others there, also those that started after it the first time.

vLLM's KV cache is pinned in bytes. SGLang's fraction is of what is free before it loads (0.5.23,
srt/mem_cache/kv_cache_configurator.py, _profile_available_bytes): `sizing` makes it one that holds in both cases, which
takes a pool that tokens bound. States of running requests are bounded by nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note
from llmdeploy.memory import Ledger, Verdict
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.sizing import equation, question, size
from llmdeploy.plan.values import values_of

_ROUNDING = 0.98
"""Of the tokens: a fraction has three digits."""


def findings(
    context: Context, name: str, values: Mapping[str, Any], pool: Hardware, ledger: Ledger
) -> Iterator[Diagnostic]:
    """Warn of a model that starts once, before others, and not again beside them, or with less than it had."""
    asked, later = question(context, name, values, pool), _later(context, name, pool)
    if asked is None or not asked.calibration.of_free or not later or ledger.verdict is Verdict.NO:
        return
    ask = equation(context, name)
    before = replace(asked, share=None, card_fraction=None, fraction=ledger.fraction)
    first, again = (
        ask(before),
        ask(replace(before, used_gib=context.seating(pool).beside(name) * asked.card.memory_gib)),
    )
    if (lost := _lost(ledger, again)) is None:
        return
    others = " and ".join(f"`{each}`" for each in later)
    message = f"`{name}` {lost} when it starts again beside {others}, which {'start' if len(later) > 1 else 'starts'} after it"
    weights = max(rank.weights_gib for rank in again.ranks)
    note = (
        f"its engine takes {ledger.fraction:g} of what is free: {_of(first, ledger)} at first, {_of(again, ledger)} then; "
        f"its weights are {weights:.2f} GiB of them"
    )
    yield Diagnostic(
        "LD558", message, ("models", name, "gpus", "share"), _help(context, name, later, pool), (Note(note),)
    )


def _later(context: Context, name: str, pool: Hardware) -> list[str]:
    """Return the models that share a card with this one and start after it."""
    seating = context.seating(pool)
    there = {other for card in seating.cards_of(name) for other in seating.owners[card]}
    earlier = {*seating.earlier(name), name}
    return [other for other in seating.seats if other in there and other not in earlier]


def _lost(ledger: Ledger, again: Ledger) -> str | None:
    """Return what comes of it; None where nothing does."""
    if again.verdict is Verdict.NO:
        fits = min(rank.kv_gib for rank in again.ranks) > 0
        return (
            f"does not hold one request of {ledger.context} tokens" if fits else "does not hold its weights"
        )
    now, then = ledger.kv_tokens or 0, again.kv_tokens or 0
    return f"has a KV cache of {then:,} tokens, not of {now:,}," if then < _ROUNDING * now else None


def _of(found: Ledger, ledger: Ledger) -> str:
    free = found.usable_gib or 0.0
    return f"{free * (ledger.fraction or 0.0):.2f} of {free:.2f} GiB"


def _pinned(context: Context, name: str, pool: Hardware) -> bool:
    """Tell whether its KV cache is so many bytes, whatever else is on the card."""
    version = context.spec.models[name].engine_version
    return context.engines[context.engine_of(name)].takes("kv_bytes", version or "", pool.vendor)


def _help(context: Context, name: str, later: list[str], pool: Hardware) -> str:
    """Offer to start it last, where that was tried and no other then has the same to fear."""
    spec = context.spec
    if all(_pinned(context, other, pool) for other in later):
        models = {
            **{key: model for key, model in spec.models.items() if key != name},
            name: spec.models[name],
        }
        trial = context.on_trial(spec.model_copy(update={"models": models}))
        tried = size(trial, name, values_of(trial, name, pool).values, pool).ledger
        if tried is not None and tried.verdict in (Verdict.FITS, Verdict.TIGHT):
            behind = f"`{later[-1]}`"
            return f"put it behind {behind} in llm.yaml: its fraction is then of what the others leave"
    return "take vLLM for it: its fraction is of the whole card, and its KV cache is pinned"

"""What would seat a model that finds no card with room for its share (LD357): each way is tried, and seats them all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from llmdeploy.checks.context import Context
from llmdeploy.plan.packing import Layout, Need, packed
from llmdeploy.plan.placement import needs
from llmdeploy.plan.trial import Changes, Trial

_STEPS = [step / 20 for step in range(19, 0, -1)]
"""Shares of a card, the largest first."""


def ways_to_seats(context: Context, name: str) -> list[str]:
    """Return what to write instead, each by itself enough for all models of the pool."""
    trial = Trial(context, name)
    texts = [
        *_fewer_replicas(trial),
        *_smaller_share(trial),
        *_smaller_neighbour(trial),
        *_larger_first(trial),
        *_more_cards(trial),
    ]
    return texts or ["take smaller shares (those on a card sum to 1 at most), or give the pool more cards"]


def _fewer_replicas(trial: Trial) -> Iterator[str]:
    name, need = trial.name, _needs(trial)[trial.name]
    for replicas in range(need.replicas - 1, 0, -1):
        seating = packed({**_needs(trial), name: replace(need, replicas=replicas)}, trial.pool.count)
        if not seating.homeless:
            changes, leave = _without_shares(trial, seating)
            changes[name] = {**changes.get(name, {}), "replicas": replicas}
            if trial.seats(trial.context_with(changes)):
                yield f"`replicas: {replicas}` of `{name}`{leave and f' and {leave}'}"
            return


def _smaller_share(trial: Trial) -> Iterator[str]:
    """What the others leave, where that is enough for it."""
    share = _largest(trial, trial.name)
    if share is not None and trial.fits({"gpus": _gpus(trial, trial.name, share)}):
        yield f"`gpus.share: {share:g}` of `{trial.name}`"


def _smaller_neighbour(trial: Trial) -> Iterator[str]:
    """What one of the others can do without."""
    for other, need in _needs(trial).items():
        if other == trial.name or need.share == 1:
            continue
        share = _largest(trial, other)
        if share is not None and trial.seats(
            trial.context_with({other: {"gpus": _gpus(trial, other, share)}})
        ):
            yield f"`gpus.share: {share:g}` of `{other}`"
            return


def _larger_first(trial: Trial) -> Iterator[str]:
    """A large share finds no room beside many small ones that could have sat together."""
    asked = _needs(trial)
    names = sorted(asked, key=lambda name: -asked[name].share)
    if names == list(asked) or packed({name: asked[name] for name in names}, trial.pool.count).homeless:
        return
    spec = trial.context_with({}).spec
    models = {name: spec.models[name] for name in names}
    if trial.seats(trial.context_with({}).on_trial(spec.model_copy(update={"models": models}))):
        yield "put the models with the larger shares first"


def _more_cards(trial: Trial) -> Iterator[str]:
    """As many as it takes."""
    seating = packed(_needs(trial))
    changes, leave = _without_shares(trial, seating)
    if trial.seats(trial.context_with(changes, cards=seating.cards)):
        pool, cards = f"pool `{trial.pool.name}`", f"{seating.cards} cards"
        yield f"{leave} where {pool} has {cards}" if leave else f"{cards} for {pool}"


def _without_shares(trial: Trial, seating: Layout) -> tuple[dict[str, Changes], str]:
    """Return the changes to those who would have their cards alone, and need no share of them, and how to say it."""
    alone = [name for name, share in seating.shares.items() if share < 1 and seating.alone(name)]
    changes: dict[str, Changes] = {name: {"gpus": _gpus(trial, name, None)} for name in alone}
    return changes, f"leave `share` out of {' and '.join(f'`{name}`' for name in alone)}" if alone else ""


def _largest(trial: Trial, name: str) -> float | None:
    """Return the largest share of one model, smaller than it has, with which all find a card."""
    need = _needs(trial)[name]
    smaller = (share for share in _STEPS if share < need.share)
    return next((share for share in smaller if _packs(trial, name, replace(need, share=share))), None)


def _packs(trial: Trial, name: str, need: Need) -> bool:
    return not packed({**_needs(trial), name: need}, trial.pool.count).homeless


def _needs(trial: Trial) -> dict[str, Need]:
    return needs(trial.context.spec, trial.pool.name)


def _gpus(trial: Trial, name: str, share: float | None) -> Any:
    return trial.context.spec.models[name].gpus.model_copy(update={"share": share})

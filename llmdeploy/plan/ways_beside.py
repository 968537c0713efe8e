"""Ways out for a model that is not alone: on a card that it shares, or on a node of CPUs."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.plan.packing import packed
from llmdeploy.plan.placement import needs, share_of
from llmdeploy.plan.settings import settings_of
from llmdeploy.plan.sizing import equation, longest, question
from llmdeploy.plan.trial import WORTH_SAYING, Changes, Trial, room

_STEP = 0.05
"""Of a card."""
_NODES_GIB = (8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536)
"""Memory that machines are sold with."""


def larger_share(trial: Trial) -> Iterator[str]:
    """Take more of the cards that it sits on, as far as others leave it; else what one of them can do without."""
    seating, share = trial.context.seating(trial.pool), share_of(trial.model)
    cards = seating.cards_of(trial.name)
    if not cards:
        return
    left = min(1 - sum(seating.shares[each] for each in seating.owners[card]) for card in cards)
    for larger in _steps(share, share + left):
        if trial.fits(_with_share(trial, larger)):
            yield f"`gpus.share: {larger:g}`"
            return
    for mate in {other: None for card in sorted(cards) for other in seating.owners[card]}:
        theirs = seating.shares[mate]
        if mate == trial.name or theirs == 1:
            continue
        for larger in _steps(share + left, share + left + theirs):
            rest = int((share + left + theirs - larger) / _STEP + 1e-6) * _STEP
            gpus = trial.context.spec.models[mate].gpus.model_copy(update={"share": round(rest, 2)})
            if rest > 0 and trial.fits(_with_share(trial, larger), others={mate: {"gpus": gpus}}):
                yield f"`gpus.share: {larger:g}` with `gpus.share: {rest:g}` of `{mate}`"
                return


def whole_cards(trial: Trial) -> Iterator[str]:
    """Leave the cards to the others, who need no share either where nobody else is left on them."""
    pool, spec = trial.pool, trial.context.spec
    seating = trial.context.seating(pool)
    if seating.homeless:
        return  # who would have a part of what is freed (LD357)
    alone = {
        mate
        for mate in seating.shares
        if mate != trial.name
        and seating.shares[mate] < 1
        and seating.cards_of(mate)
        and {each for card in seating.cards_of(mate) for each in seating.owners[card]} <= {mate, trial.name}
    }
    freed: dict[str, Changes] = {
        name: {"gpus": spec.models[name].gpus.model_copy(update={"share": None})}
        for name in (trial.name, *sorted(alone))
    }
    models = {name: each.model_copy(update=freed.get(name, {})) for name, each in spec.models.items()}
    cards = packed(needs(spec.model_copy(update={"models": models}), pool.name)).cards
    others = {name: changes for name, changes in freed.items() if name != trial.name}
    ledger = trial.fits(freed[trial.name], cards=max(cards, pool.count), others=others)
    if ledger is not None:
        names = " and ".join(f"`{name}`" for name in freed)
        more = f" where pool `{pool.name}` has {cards} cards" if cards > pool.count else ""
        yield f"leave `share` out of {names}{more}{room(ledger)}"


def less_on_a_node(trial: Trial) -> Iterator[str]:
    """A shorter context in a smaller pool, which leaves more of a node to the weights: the longest that there is."""
    found: list[tuple[int, float]] = []
    for step in range(1, int(1 / _STEP)):
        fraction = round(step * _STEP, 2)
        there = trial.context_with({trial.name: {"memory_fraction": fraction}})
        values = dict(settings_of(there, trial.name, {})[0].values)
        asked = question(there, trial.name, values, trial.pool)
        length = longest(asked, equation(there, trial.name)) if asked is not None else None
        found += [(length, -fraction)] if length and length >= WORTH_SAYING else []
    for length, fraction in sorted(found, reverse=True):
        if trial.fits({"context": length, "memory_fraction": -fraction}):
            yield f"set `context: {length}` with `memory_fraction: {-fraction:g}`"
            return


def more_of_a_node(trial: Trial) -> Iterator[str]:
    """Fewer replicas of it on a node, or a larger node."""
    for replicas in range(trial.model.replicas - 1, 0, -1):
        if trial.fits({"replicas": replicas}):
            yield f"`replicas: {replicas}`"
            break
    for gib in _NODES_GIB:
        if gib > (trial.pool.memory_gib or 0.0) and trial.fits({}, node_gib=gib):
            yield f"a node with {gib} GiB for pool `{trial.pool.name}`"
            return


def _with_share(trial: Trial, share: float) -> Changes:
    return {"gpus": trial.model.gpus.model_copy(update={"share": share})}


def _steps(above: float, end: float) -> Iterator[float]:
    """Yield the multiples of a step above one share, up to another."""
    step = int(above / _STEP + 1e-6) + 1
    while step * _STEP <= end + 1e-6:
        yield round(step * _STEP, 2)
        step += 1

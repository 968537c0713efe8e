"""Models that find no card with room for their share: why, by arithmetic, and what would seat them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note, Path
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.packing import WHOLE, Layout, Need
from llmdeploy.plan.placement import needs, sharing

Ways = Callable[[Context, str], list[str]]
"""Finds what would seat a model, as texts."""


def findings(context: Context, pool: Hardware, ways: Ways | None = None) -> Iterator[Diagnostic]:
    """Yield who finds no room in a pool whose cards are shared: the first one, for the others follow from it."""
    if not pool.divisible or not sharing(context.spec, pool.name):
        return
    seating, asked = context.seating(pool), needs(context.spec, pool.name)
    # One that no node can hold has been reported (LD303).
    if not seating.homeless or any(asked[name].count > pool.count for name in seating.homeless):
        return
    name = seating.homeless[0]
    message, path = _why(context, pool, seating, asked)
    notes = tuple(
        Note(f"`{other}` takes {_much(pool, asked[other])}", _at(context, other))
        for other in asked
        if other != name
    )
    yield Diagnostic("LD357", message, path, ", or ".join(ways(context, name) if ways else ()), notes)


def _why(context: Context, pool: Hardware, seating: Layout, asked: dict[str, Need]) -> tuple[str, Path]:
    """Say which sum does not come out: of replicas, of shares, or of what each card has left."""
    name, node = seating.homeless[0], " of one node" if pool.nodes > 1 else ""
    need = asked[name]
    if need.cards > pool.count:
        each = "one" if need.count == 1 else str(need.count)
        message = (
            f"`{name}` takes {need.cards} cards, {each} for each of its {need.replicas} replicas, which never sit "
            f"on one together: `{pool.name}` has {pool.count}{node}"
        )
        return message, ("models", name, "replicas")
    if sum(each.share * each.cards for each in asked.values()) > pool.count * WHOLE:
        place = "one card" if pool.count == 1 else f"{pool.count} cards"
        terms = " + ".join(_term(asked[other], other) for other in asked)
        message = f"the models of `{pool.name}` take more than its cards{node} have: {terms} of {place}"
    else:
        held = [sum(seating.shares[each] for each in owners) for owners in seating.owners.values()]
        room = pool.count - sum(much + need.share > WHOLE for much in held)
        which = f"only {room} card{'s' * (room > 1)}" if room else "no card"
        message = f"`{name}` takes {_of_cards(need)}, and {which} of `{pool.name}`{node} {'have' if room > 1 else 'has'} so much left: {_held(seating)}"
    return message, _at(context, name)


def _held(seating: Layout) -> str:
    """Say who sits on the cards, those of the same owners together."""
    cards = Counter(
        " + ".join(f"{seating.shares[each]:g} ({each})" for each in owners)
        for owners in seating.owners.values()
    )
    return ", ".join(f"{many} hold{'s' * (many == 1)} {text}" for text, many in cards.items())


def _term(need: Need, name: str) -> str:
    return f"{f'{need.cards} × ' if need.cards > 1 else ''}{need.share:g} ({name})"


def _of_cards(need: Need) -> str:
    if need.share == 1:
        return "a whole card" if need.cards == 1 else f"{need.cards} whole cards"
    return f"{need.share:g} of {'a card' if need.cards == 1 else f'each of {need.cards} cards'}"


def _much(pool: Hardware, need: Need) -> str:
    return _of_cards(need) + (f" ({need.share * pool.memory_gib:.1f} GiB)" if pool.memory_gib else "")


def _at(context: Context, name: str) -> Path:
    shared = context.spec.models[name].gpus.share is not None
    return ("models", name, "gpus", "share") if shared else ("models", name, "gpus")

"""Which model runs on which devices. Deterministic: models take devices in the order of llm.yaml."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import takewhile

from msgspec import Struct

from llmdeploy.plan.hardware import Hardware
from llmdeploy.spec.model import Model, Spec

Devices = tuple[tuple[str, ...], ...]
"""Device ids of each replica."""

Seats = tuple[tuple[int, ...], ...]
"""Cards of each replica, counted from 0 within a pool."""

_WHOLE = 1 + 1e-9
"""A card, for sums of shares: 0.6 + 0.3 + 0.1 is not quite 1."""


class Layout(Struct, frozen=True):
    """Who sits on which card of a pool's node. Models stand in the order of llm.yaml.

    `shares` has what each takes of a card: 1 where its cards are its own.
    """

    seats: Mapping[str, Seats]
    shares: Mapping[str, float]
    owners: Mapping[int, tuple[str, ...]]
    """The models of each card."""

    @property
    def cards(self) -> int:
        """How many cards are taken."""
        return 1 + max(self.owners, default=-1)

    def cards_of(self, name: str) -> set[int]:
        return {card for replica in self.seats[name] for card in replica}

    def earlier(self, name: str) -> tuple[str, ...]:
        """Return the models that share a card with this one and stand before it in llm.yaml."""
        before = {other for card in self.cards_of(name) for other in self._before(name, card)}
        return tuple(other for other in self.seats if other in before) if before else ()

    def held(self, name: str) -> tuple[float, ...]:
        """Return for each replica what those earlier ones hold of its fullest card."""
        return tuple(
            max(sum(self.shares[other] for other in self._before(name, card)) for card in cards)
            for cards in self.seats[name]
        )

    def _before(self, name: str, card: int) -> Iterator[str]:
        return takewhile(lambda other: other != name, self.owners[card])


def pool_of(spec: Spec, model: str) -> str | None:
    """Return the pool that the model names, or the only one there is."""
    named = spec.models[model].gpus.pool
    if named is not None:
        return named if named in spec.gpus else None
    return next(iter(spec.gpus)) if len(spec.gpus) == 1 else None


def demand(spec: Spec) -> dict[str, dict[str, int]]:
    """Return, for each pool, the units that each model takes with all its replicas, whole ones or shares."""
    taken: dict[str, dict[str, int]] = defaultdict(dict)
    for name, model in spec.models.items():
        pool = pool_of(spec, name)
        if pool is not None:
            taken[pool][name] = model.replicas * model.gpus.count
    return dict(taken)


def sharing(spec: Spec, pool: str) -> list[str]:
    """Return the models of a pool that leave a part of their cards to others."""
    return [name for name, model in spec.models.items() if model.gpus.share and pool_of(spec, name) == pool]


def layout(spec: Spec, pool: Hardware) -> Layout:
    """Seat the models of a pool on one node: each share on the first cards that have room, all else on cards of its own.

    Who finds no room has no seats. Replicas of one model never meet on a card, where a second one would only halve
    the first.
    """
    taken: list[float] = []
    names = [name for name in spec.models if pool_of(spec, name) == pool.name]
    seats = {name: _seated(spec.models[name], taken, pool.count) for name in names}
    owners: dict[int, tuple[str, ...]] = {}
    for name in names:
        for card in sorted(card for replica in seats[name] for card in replica):
            owners[card] = (*owners.get(card, ()), name)
    return Layout(seats, {name: share_of(spec.models[name]) for name in names}, owners)


def share_of(model: Model) -> float:
    """Return what a model takes of each of its cards."""
    return 1.0 if model.gpus.share is None else model.gpus.share


def _seated(model: Model, taken: list[float], most: int) -> Seats:
    """Take seats: `taken` has what is taken of each card so far, and grows."""
    share, count = share_of(model), model.gpus.count
    # No card that somebody sits on has room for a whole one.
    room = [card for card, much in enumerate(taken) if much + share <= _WHOLE] if share < 1 else []
    free = range(len(taken), most)
    cards = [*room, *free[: max(model.replicas * count - len(room), 0)]][: model.replicas * count]
    if len(cards) < model.replicas * count:
        return ()
    taken += [0.0] * (1 + max(cards) - len(taken))
    for card in cards:
        taken[card] += share
    return tuple(tuple(cards[at : at + count]) for at in range(0, len(cards), count))


def per_node(spec: Spec, pool: Hardware) -> int:
    """Return how many replicas one node of a CPU pool runs."""
    return -(-sum(demand(spec)[pool.name].values()) // pool.nodes)


_HOST_SHARE = 0.75
"""Of a node's memory; Kubernetes and the system hold back the rest, and a Pod that asks for all never starts."""


def host_memory(spec: Spec, pool: Hardware) -> float | None:
    """Return the GiB of a CPU node that one replica may take; None of a node with GPUs."""
    if not pool.is_cpu or pool.memory_gib is None:
        return None
    return pool.memory_gib * _HOST_SHARE / per_node(spec, pool)


def place(spec: Spec, pools: Mapping[str, Hardware]) -> dict[str, Devices]:
    """Hand out each pool's device ids; `()` where they do not suffice on one host."""
    placed: dict[str, Devices] = {}
    for name, models in demand(spec).items():
        pool = pools.get(name)
        seating = layout(spec, pool) if pool else None
        enough = pool and seating and all(seating.seats.values()) and seating.cards <= len(pool.devices)
        for model in models:
            seats = seating.seats[model] if seating and enough else ()
            placed[model] = (
                tuple(tuple(pool.devices[card] for card in each) for each in seats) if pool else ()
            )
    return placed

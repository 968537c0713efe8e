"""Shares of cards, put together: who sits on which card, the first that has room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from msgspec import Struct

Seats = tuple[tuple[int, ...], ...]
"""Cards of each replica, counted from 0 within a pool."""

WHOLE = 1 + 1e-9
"""A card, for sums of shares: 0.6 + 0.3 + 0.1 is not quite 1."""
ANY_NUMBER = 1 << 20
"""Of cards, for whoever asks how many it takes."""


class Need(Struct, frozen=True):
    """What one model takes: a share of each of its cards (1 where they are its own), for every replica."""

    share: float
    count: int
    replicas: int

    @property
    def cards(self) -> int:
        """How many cards it sits on: replicas of one model never meet on one."""
        return self.count * self.replicas


class Layout(Struct, frozen=True):
    """Who sits on which card of a pool's node. Models stand in the order of llm.yaml; who finds no room has no seats.

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

    @property
    def homeless(self) -> tuple[str, ...]:
        return tuple(name for name, seats in self.seats.items() if not seats)

    def cards_of(self, name: str) -> set[int]:
        return {card for replica in self.seats[name] for card in replica}

    def alone(self, name: str) -> bool:
        """Tell whether nobody else sits on any of its cards."""
        return all(self.owners[card] == (name,) for card in self.cards_of(name))

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

    def beside(self, name: str) -> float:
        """Return what all others hold of the card on which a model has the least room."""
        sums = (sum(self.shares[each] for each in self.owners[card]) for card in self.cards_of(name))
        return max(sums, default=0.0) - self.shares[name] if self.seats[name] else 0.0

    def _before(self, name: str, card: int) -> Iterator[str]:
        return takewhile(lambda other: other != name, self.owners[card])


def packed(needs: Mapping[str, Need], most: int = ANY_NUMBER) -> Layout:
    """Seat models on `most` cards: each share on the first that have room, all else on cards of its own.

    Replicas of one model never meet on a card, where a second one would only halve the first.
    """
    taken: list[float] = []
    seats = {name: _seated(need, taken, most) for name, need in needs.items()}
    owners: dict[int, tuple[str, ...]] = {}
    for name in needs:
        for card in sorted(card for replica in seats[name] for card in replica):
            owners[card] = (*owners.get(card, ()), name)
    return Layout(seats, {name: need.share for name, need in needs.items()}, owners)


def _seated(need: Need, taken: list[float], most: int) -> Seats:
    """Take seats: `taken` has what is taken of each card so far, and grows."""
    # No card that somebody sits on has room for a whole one.
    sharing = need.share < 1
    room = [card for card, much in enumerate(taken) if much + need.share <= WHOLE] if sharing else []
    free = range(len(taken), most)
    cards = [*room, *free[: max(need.cards - len(room), 0)]][: need.cards]
    if len(cards) < need.cards:
        return ()
    taken += [0.0] * (1 + max(cards) - len(taken))
    for card in cards:
        taken[card] += need.share
    return tuple(tuple(cards[at : at + need.count]) for at in range(0, len(cards), need.count))


_MOST_STATES = 2000
"""Of a search: beyond it, a file has the benefit of the doubt."""


def divide(sizes: Sequence[int], count: int, nodes: int) -> bool:
    """Tell whether replicas of so many cards each find room on `nodes` of `count` cards, none across two of them."""
    if sum(sizes) > count * nodes or max(sizes, default=0) > count:
        return False
    if nodes == 1:
        return True
    largest_first = sorted(sizes, reverse=True)
    left = _empty(count, nodes)
    for size in largest_first:
        found = next((cards for cards in range(size, count + 1) if left[cards]), None)
        if found is None:
            return _search(largest_first, count, nodes)
        left = _with_less(left, found, size)
    return True


def _search(sizes: Sequence[int], count: int, nodes: int) -> bool:
    """The fullest node with room may be the wrong one: try each."""
    states = {tuple(_empty(count, nodes))}
    for size in sizes:
        states = {
            tuple(_with_less(left, cards, size))
            for left in states
            for cards in range(size, count + 1)
            if left[cards]
        }
        if len(states) > _MOST_STATES:
            return True
    return bool(states)


def _empty(count: int, nodes: int) -> list[int]:
    """Return how many nodes have 0, 1, … `count` cards left."""
    return [0] * count + [nodes]


def _with_less(left: Sequence[int], cards: int, size: int) -> list[int]:
    """Take `size` cards from a node that has `cards`."""
    after = list(left)
    after[cards] -= 1
    after[cards - size] += 1
    return after

"""Which card holds what: the plan's ledgers, laid out over the cards of its pools. Sizes are GiB."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from llmdeploy.memory.model import Rank
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.model import Plan, Service
from llmdeploy.plan.packing import Need, packed

_SMALLEST = 0.005
"""GiB that are shown at all: figures have two decimals."""


class Segment(Struct, frozen=True):
    """A stretch of a bar: `term` is weights, activation, other (graphs, non-torch), kv, unknown, free or outside.

    What is free lies within what the engine may take, what is outside does not. Neither has a `model`.
    """

    term: str
    gib: float
    model: str | None = None


class Tenant(Struct, frozen=True):
    """A model on a card. `rank` is None where its ledger has no figures; `stages` is how many the replica has."""

    model: str
    usable_gib: float | None
    rank: Rank | None
    stages: int = 1


class Bar(Struct, frozen=True):
    """One card, or `count` of them that hold the same. `total` is None where the card's memory is not known."""

    place: str
    count: int
    tenants: tuple[Tenant, ...]
    total: float | None
    segments: tuple[Segment, ...]

    @property
    def scale(self) -> float:
        """What the whole bar stands for: more than the card where that is overfull."""
        return max(self.total or 0.0, sum(segment.gib for segment in self.segments))

    @property
    def overfull(self) -> bool:
        """Whether more is on it than it holds. How much a model lacks, its verdict says."""
        return self.total is not None and self.scale - self.total >= _SMALLEST


class Pool(Struct, frozen=True):
    name: str
    title: str
    vendor: str
    bars: tuple[Bar, ...]


class _Card(Struct):
    node: int | None
    """From 1; None where a scheduler decides."""
    device: str | None
    tenants: list[Tenant]
    missing: bool = False
    """The models take it, and the pool does not have it."""


def pools(plan: Plan, hardware: Mapping[str, Hardware]) -> tuple[Pool, ...]:
    """Return every pool of llm.yaml, its cards in order, those of the same content as one bar."""
    found = []
    for name, pool in hardware.items():
        services = [service for service in plan.services if service.gpus.pool == name]
        cards = _machines(pool, services) if pool.is_cpu else _gpus(pool, services)
        found.append(Pool(name, _title(pool), pool.vendor, tuple(_folded(pool, cards))))
    return tuple(found)


def _title(pool: Hardware) -> str:
    each = " each" if pool.total > 1 else ""
    memory = f", {pool.memory_gib:.2f} GiB{each}" if pool.memory_gib is not None else ""
    nodes = f"{pool.nodes} nodes, " if pool.nodes > 1 else ""
    return nodes + (pool.title if pool.is_cpu else f"{pool.count} × {pool.title}") + memory


def _gpus(pool: Hardware, services: Sequence[Service]) -> list[_Card]:
    """Cards by device where a target hands them out, else as many as are taken; then those that idle."""
    if any(service.gpus.share is not None and not service.gpus.devices for service in services):
        return _overcrowded(pool, services)
    cards = {device: _Card(1, device, []) for device in pool.devices}
    unnamed: list[_Card] = []
    for service in services:
        for replica in range(service.replicas):
            ids = service.gpus.devices[replica] if service.gpus.devices else ()
            for index in range(service.gpus.count):
                tenant = _tenant(service, index)
                if ids:
                    cards.setdefault(ids[index], _Card(1, ids[index], [])).tenants.append(tenant)
                else:
                    unnamed.append(_Card(None, None, [tenant]))
    if unnamed:  # on which of the pool's cards they land is not known
        named = [card for card in cards.values() if card.tenants]
        for card in unnamed[max(pool.total - len(named), 0) :]:
            card.missing = True
        return [*named, *unnamed, *_idle(pool, len(unnamed) + len(named))]
    return [*cards.values(), *_idle(pool, max(len(cards), pool.count))]


def _idle(pool: Hardware, taken: int) -> list[_Card]:
    return [_Card(None, None, []) for _ in range(pool.total - taken)]


def _overcrowded(pool: Hardware, services: Sequence[Service]) -> list[_Card]:
    """Where shares do not find room, the cards that they would take: those that the pool has, and those that it lacks."""
    needs = {
        each.name: Need(1.0 if each.gpus.share is None else each.gpus.share, each.gpus.count, each.replicas)
        for each in services
    }
    seating = packed(needs)
    cards = [_Card(None, None, [], missing=card >= pool.count) for card in range(seating.cards)]
    for service in services:
        for replica in seating.seats[service.name]:
            for index, card in enumerate(replica):
                cards[card].tenants.append(_tenant(service, index))
    return [*cards, *_idle(pool, len(cards))]


def _machines(pool: Hardware, services: Sequence[Service]) -> list[_Card]:
    """Replicas on a CPU pool share its nodes evenly, as the sizes of their KV caches assume."""
    tenants = [_tenant(service, 0) for service in services for _ in range(service.replicas)]
    each = -(-len(tenants) // pool.nodes)
    return [_Card(node + 1, None, tenants[node * each : (node + 1) * each]) for node in range(pool.nodes)]


def _tenant(service: Service, index: int) -> Tenant:
    ledger = service.memory
    ranks = sorted(ledger.ranks, key=lambda rank: (rank.stage, rank.rank)) if ledger else []
    if ledger is None or not ranks:
        return Tenant(service.name, None, None)
    # A ledger may have one entry for all ranks that are alike.
    rank = ranks[index * len(ranks) // max(service.gpus.count, 1)]
    return Tenant(service.name, ledger.usable_gib, rank, len({rank.stage for rank in ranks}))


def parts(rank: Rank) -> Iterator[tuple[str, float]]:
    yield "weights", rank.weights_gib
    yield "activation", rank.activation_gib
    yield "other", rank.nontorch_gib + rank.cuda_graphs_gib
    yield "kv", rank.kv_gib


def _segments(total: float | None, tenants: Sequence[Tenant]) -> Iterator[Segment]:
    taken = reserved = 0.0
    for tenant in tenants:
        if tenant.rank is None:
            continue
        held = [(term, max(gib, 0.0)) for term, gib in parts(tenant.rank)]
        mine = sum(gib for _, gib in held)
        taken += mine
        reserved += max(mine, tenant.usable_gib or 0.0)
        yield from (Segment(term, gib, tenant.model) for term, gib in held if gib >= _SMALLEST)
    everything = total if total is not None else reserved
    unknown = next((tenant.model for tenant in tenants if tenant.rank is None), None)
    bounded = bool(tenants) and all(tenant.usable_gib is not None for tenant in tenants)
    within = min(reserved, everything) if bounded else everything
    if within - taken >= _SMALLEST:
        yield Segment("unknown" if unknown else "free", within - taken, unknown)
    if everything - max(within, taken) >= _SMALLEST:
        yield Segment("outside", everything - max(within, taken))


def _folded(pool: Hardware, cards: Sequence[_Card]) -> Iterator[Bar]:
    alike: dict[object, list[_Card]] = {}
    for card in cards:
        segments = tuple(_segments(pool.memory_gib, card.tenants))
        stages = [(tenant.model, tenant.rank.stage if tenant.rank else None) for tenant in card.tenants]
        seen = [(segment.term, round(segment.gib, 2)) for segment in segments]
        alike.setdefault((card.node, card.device is None, card.missing, *stages, *seen), []).append(card)
    for group in alike.values():
        tenants = tuple(group[0].tenants)
        segments = tuple(_segments(pool.memory_gib, tenants))
        yield Bar(_place(pool, group), len(group), tenants, pool.memory_gib, segments)


def _place(pool: Hardware, cards: Sequence[_Card]) -> str:
    if pool.is_cpu:
        return f"node {cards[0].node}" if pool.nodes > 1 else "the node"
    ids = [card.device for card in cards if card.device is not None]
    if not ids:
        some = "slice" if pool.sliced else "GPU"
        whose = "more than the pool has" if cards[0].missing else "of the pool"
        return f"{len(cards)} {some}{'s' * (len(cards) > 1)} {whose}"
    node = f"node {cards[0].node}, " if pool.nodes > 1 else ""
    return f"{node}GPU {ranges(ids)}"


def ranges(ids: Sequence[str]) -> str:
    """Return "0–3, 6" for the indexes 0 1 2 3 6; UUIDs stay as they are."""
    runs: list[list[str]] = []
    for one in ids:
        follows = runs and one.isdecimal() and runs[-1][-1].isdecimal() and int(one) == int(runs[-1][-1]) + 1
        if follows:
            runs[-1].append(one)
        else:
            runs.append([one])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)

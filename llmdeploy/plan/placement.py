"""Which model runs on which devices. Deterministic: models take devices in the order of llm.yaml."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.packing import Layout, Need, packed
from llmdeploy.spec.model import Model, Spec

Devices = tuple[tuple[str, ...], ...]
"""Device ids of each replica."""


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
    """Seat the models of a pool on one node."""
    return packed(needs(spec, pool.name), pool.count)


def needs(spec: Spec, pool: str) -> dict[str, Need]:
    """Return what each model of a pool takes of its cards."""
    return {
        name: Need(share_of(model), model.gpus.count, model.replicas)
        for name, model in spec.models.items()
        if pool_of(spec, name) == pool
    }


def share_of(model: Model) -> float:
    """Return what a model takes of each of its cards."""
    return 1.0 if model.gpus.share is None else model.gpus.share


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

"""Which model runs on which devices. Deterministic: models take devices in the order of llm.yaml."""

from __future__ import annotations

from collections import defaultdict

from llmdeploy.plan.hardware import Hardware
from llmdeploy.spec.model import Spec

Devices = tuple[tuple[str, ...], ...]
"""Device ids of each replica."""


def pool_of(spec: Spec, model: str) -> str | None:
    """Return the pool that the model names, or the only one there is."""
    named = spec.models[model].gpus.pool
    if named is not None:
        return named if named in spec.gpus else None
    return next(iter(spec.gpus)) if len(spec.gpus) == 1 else None


def demand(spec: Spec) -> dict[str, dict[str, int]]:
    """Return, for each pool, the units that each model takes with all its replicas."""
    taken: dict[str, dict[str, int]] = defaultdict(dict)
    for name, model in spec.models.items():
        pool = pool_of(spec, name)
        if pool is not None:
            taken[pool][name] = model.replicas * model.gpus.count
    return dict(taken)


def place(spec: Spec, pools: dict[str, Hardware]) -> dict[str, Devices]:
    """Hand out each pool's device ids without overlap; `()` where they do not suffice on one host."""
    placed: dict[str, Devices] = {}
    for pool_name, models in demand(spec).items():
        pool = pools.get(pool_name)
        devices = list(pool.devices) if pool else []
        fits = sum(models.values()) <= len(devices)
        for name in models:
            count = spec.models[name].gpus.count
            replicas = spec.models[name].replicas
            placed[name] = (
                tuple(tuple(devices.pop(0) for _ in range(count)) for _ in range(replicas)) if fits else ()
            )
    return placed

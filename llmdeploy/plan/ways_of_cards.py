"""A larger GPU as a way out, where the pool's own cards do not do: the smallest of the catalog, and one that is easily had."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from llmdeploy import catalog
from llmdeploy.memory import Verdict
from llmdeploy.plan.placement import needs
from llmdeploy.plan.settings import settings_of
from llmdeploy.plan.trial import WORTH_SAYING, Changes, Trial, room
from llmdeploy.spec.types import AUTO

_EASILY_HAD = frozenset(
    (
        "t4",
        "l4",
        "a10g",
        "a100-sxm-40gb",
        "a100-sxm-80gb",
        "h100-sxm-80gb",
        "h200-sxm-141gb",
        "b200-sxm-180gb",
    )
)
"""What two of the three large clouds rent: AWS g4dn, g5, g6, p4, p5, p5e and p6; Google Cloud N1, G2, A2, A3 and A4;
Azure NCasT4 v3, NVadsA10 v5, ND A100 v4, ND H100 v5 and ND H200 v5."""


def larger_cards(trial: Trial, *, more: bool) -> Iterator[str]:
    """Two at most. Everything else stays as it is: the split, the context, and whoever shares the cards.

    `more`: with more GPUs, too, where as many as it has do not do.
    """
    stated, memory = trial.context.spec.gpus[trial.pool.name], trial.pool.memory_gib
    if trial.pool.sliced or memory is None or stated.type is None or stated.memory is not None:
        return
    # What shares its memory with a system is no card to put in place of another, but a computer of its own.
    larger = [
        gpu
        for gpu in sorted(catalog.gpus(), key=lambda gpu: gpu.memory_gib or 0.0)
        if gpu.vendor == trial.pool.vendor and (gpu.memory_gib or 0.0) > memory and gpu.free_gib is None
    ]
    counts = [trial.model.gpus.count, *(_further(trial) if more else ())]
    for count in counts:
        found = list(_of_these(trial, larger, count))
        if found:
            yield from found
            return


def _further(trial: Trial) -> Iterator[int]:
    """Yield more GPUs than it has, where nobody says how to split it, or shares them."""
    if not trial.shared and trial.model.parallel.tensor is None:
        yield from (count for count in (2, 4, 8) if count > trial.model.gpus.count)


def _of_these(trial: Trial, larger: Sequence[catalog.Gpu], count: int) -> Iterator[str]:
    enough = larger[_first(trial, larger, count) :]
    smallest = next(((gpu, text) for gpu in enough if (text := _tried(trial, gpu, count))), None)
    if smallest is None:
        return
    yield smallest[1]
    if smallest[0].id not in _EASILY_HAD:
        had = (_tried(trial, gpu, count) for gpu in enough if gpu.id in _EASILY_HAD)
        yield from islice(filter(None, had), 1)


def _first(trial: Trial, gpus: Sequence[catalog.Gpu], count: int) -> int:
    """Return the index of the first that is not too small. Every smaller one is, whatever else is true of it."""
    low, high = 0, len(gpus)
    while low < high:
        middle = (low + high) // 2
        there = trial.context_with(
            {trial.name: _with(trial, count)}, _cards(trial, count), gpu=gpus[middle].id
        )
        ledger = settings_of(there, trial.name, {})[2]
        if ledger is not None and ledger.verdict in (Verdict.NO, Verdict.TIGHT):
            low = middle + 1
        else:
            high = middle
    return low


def _tried(trial: Trial, gpu: catalog.Gpu, count: int) -> str | None:
    pool, now = trial.pool.name, trial.model.gpus.count
    ledger = trial.fits(_with(trial, count), cards=_cards(trial, count), gpu=gpu.id)
    # What `auto` comes to may be too short for anybody.
    if ledger is None or (trial.model.context == AUTO and (ledger.context or 0) < WORTH_SAYING):
        return None
    many = f"`gpus.count: {count}` with " if count > now else ""
    if not trial.shared and set(needs(trial.context.spec, pool)) != {trial.name}:
        return f"{many}a pool of its own with `type: {gpu.id}`{room(ledger)}"
    free = f" where pool `{pool}` has {count} of them free" if count > max(trial.free, now) else ""
    return f"{many}`gpus.{pool}.type: {gpu.id}`{free}{room(ledger)}"


def _cards(trial: Trial, count: int) -> int | None:
    return count if count > trial.free else None


def _with(trial: Trial, count: int) -> Changes:
    return {"gpus": trial.model.gpus.model_copy(update={"count": count})}

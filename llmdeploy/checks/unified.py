"""Is the operating system left its part, where a GPU's memory is the machine's?"""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Path
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.placement import pool_of


def check(context: Context) -> Iterator[Diagnostic]:
    for pool in context.pools.values():
        if pool.fraction is not None:
            yield from _alone(context, pool)
            yield from _together(context, pool)


def _alone(context: Context, pool: Hardware) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        if model.memory_fraction is None or pool_of(context.spec, name) != pool.name:
            continue
        help = f"set `memory_fraction: {pool.fraction:g}` or less, or leave it out"
        yield from _judged(
            pool, model.memory_fraction, f"`{name}`", ("models", name, "memory_fraction"), help
        )


def _together(context: Context, pool: Hardware) -> Iterator[Diagnostic]:
    """Judge each card once, at the first of those that share it."""
    seating, models = context.seating(pool), context.spec.models
    for names in dict.fromkeys(seating.owners.values()):
        if models[names[0]].gpus.share is None:
            continue
        asked = sum(seating.shares[name] for name in names)
        who = " and ".join(f"`{name}`" for name in names)
        help = f"let the shares of one card be {pool.fraction:g} in all"
        yield from _judged(pool, asked, who, ("models", names[0], "gpus", "share"), help)


def _judged(pool: Hardware, asked: float, who: str, path: Path, help: str) -> Iterator[Diagnostic]:
    memory, free = pool.memory_gib or 0.0, pool.free_gib or 0.0
    if asked * memory > free:
        message = (
            f"{who} may take {asked * memory:.1f} GiB of {pool.title}, whose memory is the machine's, too: "
            f"{free:.1f} GiB were seen free before anything starts"
        )
        yield Diagnostic("LD552", message, path, help)

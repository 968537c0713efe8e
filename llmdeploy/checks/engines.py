"""An engine as checks see it: what its release can run, and which other engine would do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from llmdeploy.checks.context import Context
from llmdeploy.engines.limits import Limits
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.placement import pool_of


class Release(Struct, frozen=True):
    """The engine of one model, on the pool it is placed on."""

    engine: str
    version: str
    limits: Limits
    pool: Hardware
    title: str

    @property
    def name(self) -> str:
        return f"{self.title} {self.version}"


def release_of(context: Context, model: str) -> Release | None:
    """Return the release that serves a model; None where engine, version or pool has a finding of its own."""
    name = context.engine_of(model)
    engine = context.engines.get(name)
    pool = context.pools.get(pool_of(context.spec, model) or "")
    if engine is None or pool is None:
        return None
    version = context.spec.models[model].engine_version or engine.versions[0]
    if engine.judged_by(version) is None:
        return None
    return Release(name, version, engine.limits(version), pool, engine.title)


def others(context: Context, release: Release, would_do: Callable[[Release], bool]) -> Iterator[str]:
    """Yield the other engines that would do, in their newest release, with code for these GPUs."""
    for name, engine in context.engines.items():
        version = engine.versions[0]
        other = Release(name, version, engine.limits(version), release.pool, engine.title)
        kinds = set(other.limits.serves) & set(release.limits.serves)
        if name != release.engine and kinds and has_code(other) and would_do(other):
            yield name


def or_engine(names: Iterable[str]) -> str:
    """Return the end of a help that names engines: `; or take `engine: sglang``."""
    listed = " or ".join(f"`engine: {name}`" for name in names)
    return f"; or take {listed}" if listed else ""


def has_code(release: Release) -> bool:
    """Tell whether the image has code for the pool's GPUs; where either is not known, it may."""
    cuda, sm = release.limits.cuda, release.pool.sm
    if release.pool.vendor != "nvidia" or cuda is None or sm is None:
        return True
    return cuda.lowest <= sm and (cuda.highest is None or sm // 10 <= cuda.highest // 10)

"""What a plan needs and a target lacks is an error, at the line that asked for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llmdeploy.checks.context import Context
from llmdeploy.checks.placement import ONE_HOST
from llmdeploy.diagnostics import Diagnostic, Path
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.model import MountKind, Plan
from llmdeploy.plan.placement import demand, sharing
from llmdeploy.targets.base import Feature


def needs(context: Context, plan: Plan) -> Iterator[tuple[Feature, Path, str]]:
    """Yield what the plan needs of a target, where it is asked for, and the way out."""
    for service in plan.services:
        for mount in (mount for mount in service.mounts if mount.kind is MountKind.MODEL):
            yield (
                Feature.LOCAL_MODEL,
                mount.origin,
                "a Pod may start on any node: put the model on the Hub, or into an image of your own (`image`), "
                "or build for one host: `targets: {docker: {}, compose: {}}`",
            )
        if service.build is not None and context.spec.models[service.name].image is None:
            yield (
                Feature.BUILD,
                (*service.origin, "source"),
                "name where the image will be pushed with `image: registry/name:tag`, build it from the emitted Dockerfile "
                "and push it there; or build for one host: `targets: {docker: {}, compose: {}}`",
            )
        if service.gpus.share is not None:
            yield (
                Feature.GPU_SHARING,
                (*service.origin, "gpus", "share"),
                "a scheduler hands out whole cards: take slices (a pool with `resource: nvidia.com/mig-…`), "
                "or build for one host: `targets: {docker: {}, compose: {}}`",
            )
    for name, taken in demand(context.spec).items():
        pool = context.pools[name]
        # A CPU node runs one replica of each model that names it.
        units = max(taken.values()) if pool.is_cpu else sum(taken.values())
        if sharing(context.spec, name) or _too_few(context, pool, taken):
            continue  # all on one node, or no target has room for them, and that has been said
        if pool.nodes > 1 and units > pool.count:
            yield (
                Feature.MANY_NODES,
                ("gpus", name, "nodes"),
                f"the models of `{name}` take {units} GPUs and one node has {pool.count}: run fewer, "
                "or build for a cluster: `targets: {kubernetes: {}, helm: {}}`",
            )


def _too_few(context: Context, pool: Hardware, taken: Mapping[str, int]) -> bool:
    """Tell whether there are not enough for the models, on however many nodes (LD303)."""
    if pool.is_cpu:
        return False
    most = max((context.spec.models[name].gpus.count for name in taken), default=0)
    return most > pool.count or sum(taken.values()) > pool.total


def check(context: Context, plan: Plan) -> Iterator[Diagnostic]:
    needed = list(needs(context, plan))
    for target in context.targets.values():
        for feature, path, way_out in needed:
            if feature not in target.features:
                message = f"target `{target.name}` does not take {feature.value}"
                yield Diagnostic("LD401", message, path, help=way_out)
        # Where GPUs do not suffice on one host, that has been reported: a target could only say it again.
        placed = all(service.gpus.devices for service in plan.services if service.gpus.count)
        if placed or target.secret_kind != ONE_HOST:
            yield from target.check(plan)

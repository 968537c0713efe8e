"""up.sh, down.sh and logs.sh."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from llmdeploy.emit.template import render
from llmdeploy.plan.model import Plan
from llmdeploy.spec.targets import Docker as Options
from llmdeploy.targets.docker import arguments
from llmdeploy.targets.onehost import checks, guide
from llmdeploy.targets.onehost.container import Bind, Container
from llmdeploy.targets.onehost.stack import stack

PROJECT = "io.llmdeploy.project"
FINGERPRINT = "io.llmdeploy.spec"
"""Labels that up.sh gives a container: whose it is, and what it was made from."""


class _Run(Struct, frozen=True):
    """A container as up.sh starts it."""

    name: str
    lines: list[str]
    fingerprint: str
    secrets: dict[str, str]
    wait_s: int
    also: tuple[str, ...]


def scripts(plan: Plan, options: Options) -> dict[str, str]:
    whole = stack(plan, options)
    runs = {container.name: _run(plan, container) for container in whole.containers}
    small = {name: render(f"docker/{name}.j2", project=plan.name) for name in ("down.sh", "logs.sh")}
    up = render(
        "docker/up.sh.j2",
        project=plan.name,
        base_url=guide.base_url(options),
        secrets=checks.needed_secrets(plan),
        networks=sorted({network for container in whole.containers for network in container.networks}),
        volumes=whole.volumes,
        directories=_directories(whole.containers),
        units=whole.units,
        runs=runs,
        waited=list[str](),  # those whose readiness somebody else has waited for
        gateway=runs[whole.gateway.name] if whole.gateway else None,
        kept=[runs[c.name].name for c in whole.containers if not c.once],
    )
    return {"up.sh": up, **small}


def _run(plan: Plan, container: Container) -> _Run:
    lines = arguments.lines(plan.name, container)
    return _Run(
        name=f"{plan.name}-{container.name}",
        lines=lines,
        fingerprint=arguments.fingerprint(lines, container),
        secrets=arguments.secrets(container),
        wait_s=container.health.start_s + 60 if container.health else 0,
        also=tuple(f"{plan.name}-{network}" for network in container.networks[1:]),
    )


def fingerprint(plan: Plan, container: Container) -> str:
    """Return what an unchanged container bears as its FINGERPRINT."""
    return _run(plan, container).fingerprint


def _directories(containers: Iterable[Container]) -> list[str]:
    """Return the host directories to create: unlike -v, --mount wants them to be there."""
    binds = (mount for container in containers for mount in container.mounts if isinstance(mount, Bind))
    return sorted({arguments.host_path(bind.source) for bind in binds if bind.create})

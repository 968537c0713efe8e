"""What runs of a plan: engine containers, and what fetches the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from llmdeploy.plan.model import MountKind, Plan, Secret, Service

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Replica:
    """One engine container. A variable whose value is a secret reads `secret:NAME`.

    `devices` are ids of the host's GPUs, and None where a scheduler picks them. `files` has the text of each
    file that is mounted.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str]
    image: str
    port: int
    gpus: int
    devices: tuple[str, ...] | None
    shm: int
    mounts: frozenset[tuple[str, bool]]
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fetch:
    """What downloads a model's weights, and with which secret."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    token: str | None


@dataclass(frozen=True, slots=True)
class Model:
    replicas: tuple[Replica, ...]
    fetch: Fetch | None


Models = dict[str, Model]


def expected(plan: Plan, *, devices: bool = True) -> Models:
    """The plan in the same shape; without device ids for the targets that leave them to a scheduler."""
    return {service.name: _expected(service, devices) for service in plan.services}


def _expected(service: Service, devices: bool) -> Model:
    launch, gpus, download = service.launch, service.gpus, service.download
    secrets = {name: marker(secret) for name, secret in launch.secret_env.items()}
    texts = {file.name: file.text for file in service.files}
    replicas = tuple(
        Replica(
            argv=launch.argv,
            env={**launch.env, **secrets},
            image=launch.image,
            port=launch.port,
            gpus=gpus.count,
            devices=(gpus.devices[index] if gpus.devices else ()) if devices else None,
            shm=service.shm_gib * GIB,
            mounts=frozenset((mount.target, mount.read_only) for mount in service.mounts),
            files={m.target: texts[m.source] for m in service.mounts if m.kind is MountKind.FILE},
        )
        for index in range(service.replicas)
    )
    fetch = download and Fetch(download.command, download.env, download.token and marker(download.token))
    return Model(replicas, fetch)


def marker(secret: Secret) -> str:
    return f"secret:{secret.name}"

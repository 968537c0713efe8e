"""Every container of a plan, and the policy that all of them follow."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from msgspec import Struct

from llmdeploy.emit.artifact import Artifact
from llmdeploy.gateways import nginx
from llmdeploy.plan.model import Download, Mount, MountKind, Plan, Service
from llmdeploy.spec.targets import Docker
from llmdeploy.targets.onehost import devices, names
from llmdeploy.targets.onehost.container import EDGE, ENGINES, Bind, Container, Health, Published, Volume

GATEWAY_IMAGE = "nginx:1.28.0"
GATEWAY_PORT = 8080
DOCKER_DNS = "127.0.0.11"


class Unit(Struct, frozen=True):
    """One model: fetched by `download`, served by one container a replica."""

    service: Service
    engines: tuple[Container, ...]
    download: Container | None

    @property
    def build(self) -> str | None:
        return self.engines[0].build


class Stack(Struct, frozen=True):
    """`gateway` is None where there are no routes: then every engine has a port of the host."""

    units: tuple[Unit, ...]
    gateway: Container | None

    @property
    def containers(self) -> Iterator[Container]:
        for unit in self.units:
            yield from (unit.download,) if unit.download else ()
            yield from unit.engines
        yield from (self.gateway,) if self.gateway else ()

    @property
    def volumes(self) -> list[str]:
        mounts = (mount for container in self.containers for mount in container.mounts)
        return sorted({mount.name for mount in mounts if isinstance(mount, Volume)})


def stack(plan: Plan, options: Docker) -> Stack:
    units = []
    port = options.port
    for service in plan.services:
        download = _download(plan, service, service.download) if service.download else None
        engines = []
        for index in range(service.replicas):
            published = None if plan.routes else Published(options.bind, port, service.launch.port)
            engines.append(_engine(plan, service, index, published))
            port += 1
        units.append(Unit(service, tuple(engines), download))
    return Stack(tuple(units), _gateway(plan, options) if plan.routes else None)


def _engine(plan: Plan, service: Service, index: int, published: Published | None) -> Container:
    launch, probe = service.launch, service.probes.readiness
    return Container(
        name=names.replica(plan, service.name, index + 1),
        # Docker's DNS gives the service's name the addresses of all its replicas.
        aliases=(service.name,) if index else (),
        model=service.name,
        image=launch.image,
        build=f"build/{service.name}" if service.build else None,
        entrypoint=launch.entrypoint,
        args=launch.args,
        env=launch.env,
        secret_env=launch.secret_env,
        # An internal network publishes nothing.
        networks=(EDGE,) if published else (ENGINES,),
        published=published,
        port=launch.port,
        mounts=tuple(_mount(plan, service, mount) for mount in service.mounts),
        content="".join(file.text for file in service.files),
        user=f"{service.user.uid}:{service.user.gid}" if service.user else None,
        devices=devices.of(service, index),
        health=Health(
            url=f"http://127.0.0.1:{launch.port}{probe.path}",
            period_s=probe.period_s,
            timeout_s=probe.timeout_s,
            failures=probe.failures,
            start_s=service.ready_timeout_s,
        ),
        stop_s=service.drain.grace_s,
        shm_gib=service.shm_gib,
        memory_gib=service.memory_gib,
    )


def _download(plan: Plan, service: Service, download: Download) -> Container:
    weights = service.mount(MountKind.WEIGHTS)
    mounts = (_mount(plan, service, weights, read_only=False),) if weights else ()
    return Container(
        name=names.download(plan, service.name),
        model=service.name,
        image=service.launch.image,
        build=f"build/{service.name}" if service.build else None,
        entrypoint=download.command[:1],
        args=download.command[1:],
        env=download.env,
        token=(download.token_env, download.token) if download.token else None,
        networks=(EDGE,),
        mounts=mounts,
        # Root owns a new volume, and what it writes under its umask 022 every engine can read. A cache
        # directory of the host belongs to somebody else, hence the one capability.
        user="0:0",
        capabilities=("DAC_OVERRIDE",),
        once=True,
    )


def _mount(plan: Plan, service: Service, mount: Mount, read_only: bool | None = None) -> Bind | Volume:
    read_only = mount.read_only if read_only is None else read_only
    match mount.kind:
        case MountKind.WEIGHTS if plan.storage.path:
            return Bind(_host_path(plan, plan.storage.path), mount.target, read_only, create=True)
        case MountKind.WEIGHTS:
            return Volume("models", mount.target, read_only)
        case MountKind.CACHE:
            return Volume(f"{service.name}-cache", mount.target, read_only)
        case MountKind.MODEL:
            return Bind(_host_path(plan, mount.source), mount.target, read_only)
        case MountKind.FILE:
            return Bind(f"./files/{mount.source}", mount.target, read_only)


def _host_path(plan: Plan, path: str) -> str:
    """Return a path of llm.yaml as seen from the target's directory, one below the output's root."""
    if path == "~" or path.startswith(("~/", "/")):
        return path
    return posixpath.normpath(posixpath.join("..", plan.spec_dir, path))


def _gateway(plan: Plan, options: Docker) -> Container:
    return Container(
        name=names.gateway(plan),
        model="",
        image=GATEWAY_IMAGE,
        entrypoint=("nginx",),
        args=("-p", "/tmp/", "-e", "stderr", "-c", "/etc/nginx/nginx.conf", "-g", "daemon off;"),
        networks=(EDGE, ENGINES),
        published=Published(options.bind, options.port, GATEWAY_PORT),
        mounts=(Bind("./gateway/nginx.conf", "/etc/nginx/nginx.conf", read_only=True),),
        content=gateway_config(plan),
        # The image's own unprivileged user; /tmp is the prefix below which nginx.conf writes.
        user="101:101",
        read_only=True,
        tmpfs=("/tmp",),
        health=Health(f"http://127.0.0.1:{GATEWAY_PORT}/healthz", 5, 5, 3, 30),
        # nginx finishes what runs on QUIT only, and has to outlive the requests that it passes on.
        stop_signal="SIGQUIT",
        stop_s=max(service.drain.grace_s for service in plan.services) + 5,
    )


def gateway_config(plan: Plan) -> str:
    upstreams = {service.name: [f"{service.name}:{service.launch.port}"] for service in plan.services}
    return nginx.config(plan, upstreams, DOCKER_DNS, str(GATEWAY_PORT))


def files(plan: Plan, target: str) -> Iterator[Artifact]:
    """Yield what the containers mount and what their images are built from."""
    texts = {f"files/{file.name}": file.text for service in plan.services for file in service.files}
    for service in plan.services:
        for file in service.build.files if service.build else ():
            texts[f"build/{service.name}/{file.name}"] = file.text
    if plan.routes:
        texts["gateway/nginx.conf"] = gateway_config(plan)
    yield from (Artifact(f"{target}/{path}", text) for path, text in texts.items())

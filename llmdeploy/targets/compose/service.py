"""A container as a service of Compose."""

from __future__ import annotations

from typing import Any

from llmdeploy.emit import hashes
from llmdeploy.targets.compose.interpolation import Reference
from llmdeploy.targets.onehost.container import Bind, Container, Volume


def service(container: Container, depends_on: dict[str, str]) -> dict[str, Any]:
    """Return the service; `depends_on` is name -> condition. What is empty is left out."""
    whole: dict[str, Any] = {
        "image": container.image,
        **_build(container),
        "labels": _labels(container),
        "user": container.user,
        "init": True,
        **_life(container),
        "entrypoint": list(container.entrypoint),
        "command": list(container.args),
        "environment": _environment(container),
        "secrets": [container.token[1].name] if container.token else [],
        **_hardware(container),
        "volumes": [_mount(mount) for mount in container.mounts],
        "tmpfs": list(container.tmpfs),
        "read_only": container.read_only,
        "networks": _networks(container),
        "expose": [str(container.port)] if container.port else [],
        "ports": _ports(container),
        "depends_on": {name: {"condition": condition} for name, condition in depends_on.items()},
        "security_opt": ["no-new-privileges:true"],
        "cap_drop": ["ALL"],
        "cap_add": list(container.capabilities),
        "logging": {"driver": "json-file", "options": {"max-size": "50m", "max-file": "3"}},
    }
    # An empty command is kept: without one, Compose takes the image's.
    return {key: value for key, value in whole.items() if value or key == "command"}


def _build(container: Container) -> dict[str, Any]:
    # `build` on every up: a changed Dockerfile is noticed, an unchanged one comes out of the cache.
    return {"build": {"context": f"./{container.build}"}, "pull_policy": "build"} if container.build else {}


def _labels(container: Container) -> dict[str, str]:
    # Compose does not see that the text of a mounted file has changed.
    return {"io.llmdeploy.config-hash": hashes.short(container.content)} if container.content else {}


def _life(container: Container) -> dict[str, Any]:
    if container.once:
        return {"restart": "no"}
    life: dict[str, Any] = {"restart": "unless-stopped", "stop_grace_period": f"{container.stop_s}s"}
    if container.stop_signal:
        life["stop_signal"] = container.stop_signal
    if health := container.health:
        life["healthcheck"] = {
            "test": ["CMD", *health.command],
            "interval": f"{health.period_s}s",
            "timeout": f"{health.timeout_s}s",
            "retries": health.failures,
            # No start_interval: Docker before 25 refuses the file that has one.
            "start_period": f"{health.start_s}s",
        }
    return life


def _environment(container: Container) -> dict[str, str]:
    environment: dict[str, str] = dict(container.env)
    for key, secret in container.secret_env.items():
        environment[key] = Reference(f"${{{secret.env}:?set it to secret {secret.name}, here or in .env}}")
    if container.token:
        # A file, which `docker inspect` does not show; the Hub's own client reads this variable.
        environment["HF_TOKEN_PATH"] = f"/run/secrets/{container.token[1].name}"
    return environment


def _hardware(container: Container) -> dict[str, Any]:
    devices = container.devices
    nvidia = {"driver": "nvidia", "device_ids": list(devices.nvidia), "capabilities": ["gpu"]}
    return {
        "deploy": {"resources": {"reservations": {"devices": [nvidia]}}} if devices.nvidia else {},
        "devices": [f"{path}:{path}" for path in devices.files],
        "group_add": list(devices.groups),
        "shm_size": f"{container.shm_gib}g" if container.shm_gib else "",
        "mem_limit": f"{round(container.memory_gib * 1024)}m" if container.memory_gib else "",
    }


def _mount(mount: Bind | Volume) -> dict[str, Any]:
    if isinstance(mount, Volume):
        kind, source, more = "volume", mount.name, {}
    else:
        kind, source, more = "bind", mount.source, {"bind": {"create_host_path": mount.create}}
    read_only = {"read_only": True} if mount.read_only else {}
    return {"type": kind, "source": source, "target": mount.target, **read_only, **more}


def _networks(container: Container) -> dict[str, Any]:
    aliases = {"aliases": list(container.aliases)} if container.aliases else {}
    return {network: dict(aliases) for network in container.networks}


def _ports(container: Container) -> list[dict[str, Any]]:
    if not (port := container.published):
        return []
    return [{"target": port.inner, "published": str(port.port), "host_ip": port.address, "protocol": "tcp"}]

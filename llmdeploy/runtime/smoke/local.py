"""What a container would run, as a process of this machine.

The argv and the environment are the plan's, but for what only a container has: its port, its address and its
paths.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from msgspec import Struct

from llmdeploy.plan.model import Mount, MountKind, Secret, Service
from llmdeploy.runtime.http import fits_header

HOST = "127.0.0.1"
_EVERYWHERE = "0.0.0.0"
# Where a container sees only its own devices, a process has to be told.
_VISIBLE = {"nvidia": "CUDA_VISIBLE_DEVICES", "amd": "HIP_VISIBLE_DEVICES"}


class CannotBoot(Exception):  # noqa: N818  a reason, read as "cannot boot: …"
    """A model cannot run here, or did not come up; the text says why, `lines` are the last of its log."""

    def __init__(self, message: str, lines: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.lines = tuple(lines)


class Command(Struct, frozen=True):
    """`env` is what is added to the environment; `dropped` names what the container alone would have had."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    dropped: tuple[str, ...]


class Site(Struct, frozen=True):
    """Where it runs: `directory` holds llm.yaml, `home` is ours to write to, `environ` has the secrets."""

    directory: Path
    home: Path
    environ: Mapping[str, str]


def command(service: Service, replica: int, port: int, site: Site) -> Command:
    """Return how one replica of a model runs here on `port`."""
    launch = service.launch
    paths = {mount.target: str(here) for mount in service.mounts if (here := _place(service, mount, site))}
    # A container's /tmp is its own.
    for word in launch.argv:
        if word.startswith("/tmp/"):
            paths[word] = str(site.home / f"{service.name}-{replica}-{PurePosixPath(word).name}")
    env: dict[str, str] = {}
    dropped = []
    for name, value in launch.env.items():
        if _is_of_container(value, service):
            dropped.append(name)
        elif name.endswith("PORT") and value == str(launch.port):
            env[name] = str(port)
        else:
            env[name] = _moved(value, paths)
    env |= {name: secret(each, site.environ) for name, each in launch.secret_env.items()}
    if service.gpus.devices and service.gpus.vendor in _VISIBLE:
        env[_VISIBLE[service.gpus.vendor]] = ",".join(service.gpus.devices[replica])
    argv = tuple(_moved(word, paths) for word in _addressed(launch.argv, launch.port, port))
    if fetched := next((word for word in argv if _is_fetched(word, service)), None):
        raise CannotBoot(
            f"`{fetched}` of `{service.name}` is fetched by a container before the engine starts: "
            "give it a directory as `source`, or smoke-test with `-t docker`"
        )
    if str(port) not in {*(word.rpartition("=")[2] for word in argv), *env.values()}:
        raise CannotBoot(f"the command line of `{service.name}` does not say its port")
    return Command(argv, env, tuple(dropped))


def secret(wanted: Secret, environ: Mapping[str, str]) -> str:
    """Return a credential from the variable that llm.yaml names."""
    if wanted.env is None:
        raise CannotBoot(f"secret `{wanted.name}` has no `env`, the variable that holds it")
    if not environ.get(wanted.env):
        raise CannotBoot(f"secret `{wanted.name}` is read from {wanted.env}, which is not set")
    value = environ[wanted.env]
    if not fits_header(value):
        raise CannotBoot(f"secret `{wanted.name}`: {wanted.env} has a line break, or what is not ASCII")
    return value


def _addressed(argv: tuple[str, ...], old: int, new: int) -> Iterator[str]:
    """Yield the argv for another port, on the loopback."""
    before = ""
    for word in argv:
        flag, equals, value = word.partition("=")
        if word == str(old) and "port" in before:
            yield str(new)
        elif equals and flag.endswith("port") and value == str(old):
            yield f"{flag}={new}"
        else:
            yield HOST if word == _EVERYWHERE else word.replace(f"={_EVERYWHERE}", f"={HOST}")
        before = word


def _place(service: Service, mount: Mount, site: Site) -> Path | None:
    """Return where the content of a mount is on this machine; None where the machine's own defaults hold."""
    if mount.kind is MountKind.MODEL:
        return (site.directory / Path(mount.source).expanduser()).resolve()
    if mount.kind is MountKind.FILE:
        place = site.home / f"{service.name}-{PurePosixPath(mount.source).name}"
        place.write_text(next(file.text for file in service.files if file.name == mount.source))
        return place
    return None


def _is_of_container(value: str, service: Service) -> bool:
    """Is it the Hub cache, the engine's cache, or a directory around one of them?"""
    if not value.startswith("/"):
        return False
    path = PurePosixPath(value)
    inner = [
        PurePosixPath(mount.target)
        for mount in service.mounts
        if mount.kind in (MountKind.WEIGHTS, MountKind.CACHE)
    ]
    return any(path.is_relative_to(each) or each.is_relative_to(path) for each in inner)


def _is_fetched(word: str, service: Service) -> bool:
    """Is it a directory below the Hub cache, which only a download makes?"""
    weights = service.mount(MountKind.WEIGHTS)
    return weights is not None and word.rpartition("=")[2].startswith(f"{weights.target}/")


def _moved(word: str, paths: Mapping[str, str]) -> str:
    if word.startswith("{"):  # JSON may name a path as well
        for path, here in paths.items():
            word = word.replace(json.dumps(path), json.dumps(here))
        return word
    flag, equals, value = word.rpartition("=")
    return flag + equals + paths.get(value, value)

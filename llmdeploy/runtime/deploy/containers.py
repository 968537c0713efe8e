"""The containers of one project, as docker knows them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from llmdeploy.runtime.deploy.model import Failed
from llmdeploy.runtime.runner import Completed, NotInstalled, Runner

_PATIENCE_S = 60
_STOP_S = 10
_OLDEST = (20, 10)
LINES = 40
GIVEN_UP = 3
"""So many restarts are what up.sh gives an engine up for."""


class Container(Struct, frozen=True):
    """`health` is "" where nothing asks for it; `addresses` are those on docker's own networks."""

    id: str
    name: str
    status: str
    health: str
    restarts: int
    exit_status: int
    labels: Mapping[str, str]
    addresses: tuple[str, ...]

    @property
    def ready(self) -> bool:
        return self.status == "running" and self.health in ("", "healthy")

    @property
    def stuck(self) -> bool:
        """Is it one that nothing but a new container helps? The count of restarts never begins anew."""
        hangs = self.status == "running" and self.health == "unhealthy"
        return hangs or (self.restarts >= GIVEN_UP and not self.ready)


class Docker(Struct, frozen=True):
    """Asks docker. `label` marks the containers of the project."""

    runner: Runner
    label: str

    @property
    def program(self) -> str:
        """The command that up.sh and down.sh take, too."""
        return os.environ.get("DOCKER") or "docker"

    def check(self) -> str:
        """See that the daemon answers; return its version."""
        try:
            done = self.runner.run((self.program, "version", "--format", "{{.Server.Version}}"), _PATIENCE_S)
        except NotInstalled:
            raise Failed("docker is not installed", "install Docker Engine 20.10 or newer") from None
        if done.status:
            raise Failed(
                f"docker does not answer: {_last(done)}", "start it, or set DOCKER_HOST to one that runs"
            )
        version = done.stdout.strip()
        numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
        if numbers < _OLDEST:
            raise Failed(f"docker {version or 'without a version'} is too old", "install 20.10 or newer")
        return version

    def containers(self) -> list[Container]:
        """Return all containers of the project, in the order of their names."""
        ids = self._lines("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={self.label}")
        if not ids:
            return []
        # One that ends between the two questions makes `inspect` fail, and still tell of the others.
        done = self.runner.run((self.program, "inspect", *ids), _PATIENCE_S)
        try:
            return sorted(map(_container, json.loads(done.stdout or "[]")), key=lambda each: each.name)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Failed(f"docker tells of its containers what is not understood: {error}") from error

    def log(self, container: Container) -> str:
        """Return the end of what a container wrote."""
        done = self.runner.run((self.program, "logs", "--tail", "400", container.id), _PATIENCE_S)
        return done.stdout + done.stderr

    def remove(self, containers: Sequence[Container]) -> None:
        """Stop them together, then remove them."""
        ids = [each.id for each in containers]
        if ids:
            self.runner.run((self.program, "stop", "--time", str(_STOP_S), *ids), _PATIENCE_S + _STOP_S)
            self.runner.run((self.program, "rm", "--force", *ids), _PATIENCE_S)

    def kept(self) -> list[str]:
        """Return the volumes of the project that are there."""
        return self._lines("volume", "ls", "--filter", f"label={self.label}", "--format", "{{.Name}}")

    def _lines(self, *arguments: str) -> list[str]:
        done = self.runner.run((self.program, *arguments), _PATIENCE_S)
        if done.status:
            raise Failed(f"docker {arguments[0]}: {_last(done)}")
        return done.stdout.split()


def _container(found: Mapping[str, Any]) -> Container:
    state = found["State"]
    return Container(
        id=found["Id"],
        name=found["Name"].lstrip("/"),
        status=state["Status"],
        health=(state.get("Health") or {}).get("Status", ""),
        restarts=found.get("RestartCount", 0),
        exit_status=state.get("ExitCode", 0),
        labels=found["Config"].get("Labels") or {},
        addresses=tuple(_addresses(found)),
    )


def _addresses(found: Mapping[str, Any]) -> Iterator[str]:
    for network in (found.get("NetworkSettings", {}).get("Networks") or {}).values():
        if network.get("IPAddress"):
            yield network["IPAddress"]


def _last(done: Completed) -> str:
    return (done.stderr.strip() or done.stdout.strip() or f"status {done.status}").splitlines()[-1]

"""`apply` for the target compose: it runs Docker Compose on the compose.yaml that was built."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from llmdeploy.plan.model import Plan
from llmdeploy.runtime import logs
from llmdeploy.runtime.deploy.containers import Container
from llmdeploy.runtime.deploy.model import Failed
from llmdeploy.runtime.deploy.onehost import RESTARTS, OneHost
from llmdeploy.runtime.runner import CannotRun, Completed, Runner

_PROJECT = "com.docker.compose.project"
_HASH = "com.docker.compose.config-hash"
_NEEDED = (2, 20)
_PATIENCE_S = 60
_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Za-z_]\w*)=(.*)$", re.MULTILINE)


class Compose(OneHost):
    target = "compose"

    def __init__(self, plan: Plan, folder: Path, runner: Runner, restarts: int = RESTARTS) -> None:
        super().__init__(plan, folder, runner, _PROJECT, restarts)
        self._program: tuple[str, ...] = ("docker", "compose")

    def reach(self) -> None:
        super().reach()
        done = self._find()
        version = done.stdout.strip().lstrip("v")
        numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
        if numbers < _NEEDED:
            raise Failed(f"Docker Compose {version} is too old", "install 2.20 or newer")
        self.where += f", Compose {version}"

    def _find(self) -> Completed:
        """Find Compose as docker's own plug-in, else as a program of its own."""
        for program in (("docker", "compose"), ("docker-compose",)):
            self._program = program
            try:
                done = self.runner.run((*program, "version", "--short"), _PATIENCE_S)
            except CannotRun:
                continue
            if done.status == 0 and done.stdout.strip():
                return done
        raise Failed("Docker Compose is not installed", "install docker's plug-in `compose`, 2.20 or newer")

    def secrets(self) -> Mapping[str, str]:
        """Return the environment, over the variables of the file that Compose reads beside compose.yaml."""
        try:
            text = (self.folder / ".env").read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return os.environ
        values = {name: _unquoted(value) for name, value in _ASSIGNMENT.findall(text)}
        return {**values, **os.environ}

    def up(self) -> tuple[str, ...]:
        return (*self._compose(), "up", "--detach", "--wait", "--remove-orphans")

    def removal(self, *, volumes: bool) -> tuple[str, ...]:
        # By name: with the file it would want every secret, which nobody needs to stop something.
        return (*self._named(), "down", "--remove-orphans", *(("--volumes",) if volumes else ()))

    def marks(self) -> Mapping[str, str]:
        done = self.runner.run((*self._compose(), "config", "--hash", "*"), _PATIENCE_S)
        if done.status:
            raise Failed(f"Compose refuses compose.yaml: {logs.last_line(done.stderr)}")
        once = {each.name for each in self.stack.containers if each.once}
        pairs = (line.split() for line in done.stdout.splitlines() if line.strip())
        return {name: mark for name, mark in pairs if name not in once}

    def mark(self, container: Container) -> str:
        return container.labels.get(_HASH, "")

    def full_name(self, name: str) -> str:
        return f"{self.plan.name}-{name}-1"

    def _compose(self) -> tuple[str, ...]:
        # COMPOSE_PROJECT_NAME would win over the name in the file.
        return (*self._named(), "--file", str(self.folder / "compose.yaml"))

    def _named(self) -> tuple[str, ...]:
        return (*self._program, "--project-name", self.plan.name)


def _unquoted(value: str) -> str:
    value = value.strip()
    if value[:1] in ("'", '"'):
        return value[1:].partition(value[0])[0]
    return value.partition(" #")[0].rstrip()

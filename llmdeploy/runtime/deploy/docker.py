"""`apply` for the target docker: up.sh runs it, and down.sh takes it away."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from llmdeploy.plan.model import Plan
from llmdeploy.runtime.deploy.containers import Container
from llmdeploy.runtime.deploy.onehost import RESTARTS, OneHost
from llmdeploy.runtime.runner import Runner
from llmdeploy.targets.docker import scripts


class DockerScripts(OneHost):
    target = "docker"

    def __init__(self, plan: Plan, folder: Path, runner: Runner, restarts: int = RESTARTS) -> None:
        super().__init__(plan, folder, runner, scripts.PROJECT, restarts)

    def up(self) -> tuple[str, ...]:
        return ("bash", str(self.folder / "up.sh"))

    def removal(self, *, volumes: bool) -> tuple[str, ...]:
        return ("bash", str(self.folder / "down.sh"), *(("--volumes",) if volumes else ()))

    def marks(self) -> Mapping[str, str]:
        return {
            each.name: scripts.fingerprint(self.plan, each) for each in self.stack.containers if not each.once
        }

    def mark(self, container: Container) -> str:
        return container.labels.get(scripts.FINGERPRINT, "")

    def full_name(self, name: str) -> str:
        return f"{self.plan.name}-{name}"

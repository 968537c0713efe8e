"""Which Deployment brings which target to where it runs."""

from __future__ import annotations

from pathlib import Path

from llmdeploy.plan.model import Plan
from llmdeploy.runtime.deploy.model import Deployment, Failed
from llmdeploy.runtime.runner import Runner

CLUSTERS = ("kubernetes", "helm")
"""Those that a context of kubectl names the place of."""


def deployment(target: str, plan: Plan, folder: Path, runner: Runner, context: str | None) -> Deployment:
    """Return how `plan`, as built for `target` into `folder`, is brought to its place."""
    match target:
        case "docker":
            from llmdeploy.runtime.deploy.docker import DockerScripts

            return DockerScripts(plan, folder, runner)
        case "compose":
            from llmdeploy.runtime.deploy.compose import Compose

            return Compose(plan, folder, runner)
        case "kubernetes":
            from llmdeploy.runtime.deploy.kubernetes import Kubernetes

            return Kubernetes(plan, folder, runner, context)
        case "helm":
            from llmdeploy.runtime.deploy.helm import Helm

            return Helm(plan, folder, runner, context)
    raise Failed(f"target `{target}` comes from another package", "apply what it built by its README.md")

"""What a deployment would run, read back out of the artifacts by the tools that their users run.

`read(target, plan, folder)` gives every engine container of every model, as the runtime would start it:
escapes are undone as the runtime undoes them. `expected(plan)` is the same, straight from the plan.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from llmdeploy.plan.model import Plan
from support.readback.compose import compose
from support.readback.docker import docker
from support.readback.helm import helm, rendered
from support.readback.kubernetes import kubernetes, kustomized
from support.readback.model import Models, expected
from support.readback.objects import documents
from support.readback.outside import acme

__all__ = ["NAMES_DEVICES", "READERS", "documents", "expected", "kustomized", "read", "rendered"]

READERS: dict[str, Callable[[Plan, Path], Models]] = {
    "docker": docker,
    "compose": compose,
    "kubernetes": kubernetes,
    "helm": helm,
    "acme": acme,
}
NAMES_DEVICES = {"docker", "compose", "acme"}


def read(target: str, plan: Plan, folder: Path) -> Models:
    return READERS[target](plan, folder / target)

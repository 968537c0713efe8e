"""Kubernetes: `kubectl kustomize`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llmdeploy.plan.model import Plan
from support.readback.model import Models
from support.readback.objects import documents
from support.readback.pods import deployments
from support.tools import runner


def kubernetes(plan: Plan, folder: Path) -> Models:
    return deployments(plan, kustomized(folder))


def kustomized(folder: Path) -> list[dict[str, Any]]:
    done = runner("kubectl")("kustomize", folder)
    assert done.returncode == 0, done.stderr
    return list(documents(done.stdout))

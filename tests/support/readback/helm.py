"""Helm: `helm template`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from llmdeploy.plan.model import Plan
from support.readback.kubernetes import kustomized
from support.readback.model import Models
from support.readback.pods import deployments
from support.tools import runner


def helm(plan: Plan, folder: Path) -> Models:
    return deployments(plan, rendered(plan, folder / plan.name))


def rendered(plan: Plan, chart: Path, *options: str) -> list[dict[str, Any]]:
    """The chart's objects as Go reads them: kustomize takes in what helm has printed."""
    done = runner("helm")("template", plan.name, chart, *options)
    assert done.returncode == 0, done.stderr
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "all.yaml").write_text(done.stdout, encoding="utf-8")
        (Path(folder) / "kustomization.yaml").write_text("resources: [all.yaml]\n")
        return kustomized(Path(folder))

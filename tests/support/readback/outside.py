"""The target from outside, which is JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from llmdeploy.plan.model import Plan
from support.readback.model import Fetch, Model, Models, Replica


def acme(plan: Plan, folder: Path) -> Models:
    document = json.loads((folder / "acme.json").read_text())
    return {name: _acme(service) for name, service in document["services"].items()}


def _acme(service: dict[str, Any]) -> Model:
    fetch, devices = service.pop("fetch"), service.pop("devices")
    argv, mounts = tuple(service.pop("argv")), frozenset(map(tuple, service.pop("mounts")))
    replicas = (Replica(argv=argv, mounts=mounts, devices=tuple(ids), **service) for ids in devices)
    return Model(tuple(replicas), fetch and Fetch(**{**fetch, "argv": tuple(fetch["argv"])}))

"""Compose: `docker-compose config`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmdeploy.plan.model import Plan
from support.readback.host import amd, host, texts
from support.readback.model import Fetch, Model, Models, Replica
from support.readback.spelled import port_of, size_of, without_token
from support.tools import runner


def compose(plan: Plan, folder: Path) -> Models:
    project = compose_config(plan, folder)
    services = project["services"]
    models = {}
    for model in plan.services:
        # Whoever answers to the model's name on the engines' network is one of its replicas.
        mine = [service for name, service in services.items() if model.name in _names(name, service)]
        before = {
            name
            for service in mine
            for name, need in service.get("depends_on", {}).items()
            if need["condition"] == "service_completed_successfully"
        }
        fetches = [_fetch(services[name], project) for name in before]
        assert len(fetches) <= 1
        models[model.name] = Model(tuple(map(_replica, mine)), next(iter(fetches), None))
    return models


def compose_config(plan: Plan, folder: Path) -> dict[str, Any]:
    done = runner("docker-compose")(
        "-f", folder / "compose.yaml", "config", "--format", "json", env=host(plan)
    )
    assert done.returncode == 0, done.stderr
    project: dict[str, Any] = _undollar(json.loads(done.stdout))
    return project


def _undollar(node: Any) -> Any:
    """`config` prints a file that could be read again, so it escapes what it has just unescaped."""
    if isinstance(node, str):
        return node.replace("$$", "$")
    if isinstance(node, list):
        return [_undollar(item) for item in node]
    return {key: _undollar(item) for key, item in node.items()} if isinstance(node, dict) else node


def _names(name: str, service: Mapping[str, Any]) -> set[str]:
    networks = [network or {} for network in service.get("networks", {}).values()]
    return {name, *(alias for network in networks for alias in network.get("aliases", ()))}


def _replica(service: Mapping[str, Any]) -> Replica:
    reserved = service.get("deploy", {}).get("resources", {}).get("reservations", {}).get("devices", [])
    nvidia = tuple(device for entry in reserved for device in entry["device_ids"])
    devices = nvidia or amd([device["source"] for device in service.get("devices", ())])
    return Replica(
        argv=(*(service.get("entrypoint") or ()), *(service.get("command") or ())),
        env=service.get("environment") or {},
        image=service["image"],
        port=port_of(" ".join(service["healthcheck"]["test"])),
        gpus=len(devices),
        devices=devices,
        shm=size_of(service["shm_size"]),
        mounts=frozenset(
            (mount["target"], mount.get("read_only", False)) for mount in service.get("volumes", ())
        ),
        files=texts({mount["target"]: mount["source"] for mount in service.get("volumes", ())}),
    )


def _fetch(service: Mapping[str, Any], project: Mapping[str, Any]) -> Fetch:
    env = service.get("environment") or {}
    tokens = [secret["source"] for secret in service.get("secrets", ())]
    assert bool(tokens) == ("HF_TOKEN_PATH" in env)
    argv = (*service["entrypoint"], *(service.get("command") or ()))
    return Fetch(argv, without_token(env), f"secret:{tokens[0]}" if tokens else None)

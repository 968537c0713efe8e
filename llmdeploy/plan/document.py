"""The plan as JSON, for other programs. The shape is a contract: see `llmdeploy plan --help`."""

from __future__ import annotations

from typing import Any

from llmdeploy.plan.model import Plan, Route, Service


def document(plan: Plan) -> dict[str, Any]:
    return {
        "name": plan.name,
        "services": [service(item) for item in plan.services],
        "routes": [route(item) for item in plan.routes],
    }


def service(item: Service) -> dict[str, Any]:
    """Values of secrets are not known here; `env` names them as `{"secret": NAME}`."""
    launch = item.launch
    return {
        "name": item.name,
        "engine": item.engine,
        "engine_version": item.engine_version,
        "image": launch.image,
        "argv": list(launch.argv),
        "env": {
            **launch.env,
            **{name: {"secret": secret.name} for name, secret in launch.secret_env.items()},
        },
        "port": launch.port,
        "replicas": item.replicas,
        "gpus": {
            "pool": item.gpus.pool,
            "count": item.gpus.count,
            "resource": item.gpus.resource,
            "devices": [device for replica in item.gpus.devices for device in replica],
        },
        "served_names": list(item.served_names),
        "why": [{"setting": why.setting, "value": why.value, "because": why.because} for why in item.why],
        "memory": {"shm_gib": item.shm_gib, "gpu_gib": item.gpus.memory_gib, "host_gib": item.memory_gib},
        "ready_timeout_s": item.ready_timeout_s,
    }


def route(item: Route) -> dict[str, Any]:
    return {
        "path": item.path,
        "model": item.service,
        "endpoints": [{"path": end.path, "match": end.match.value} for end in item.endpoints],
    }

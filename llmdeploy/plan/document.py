"""The plan as JSON, for other programs. The shape is a contract: see `llmdeploy plan --help`."""

from __future__ import annotations

from typing import Any

from msgspec import to_builtins

from llmdeploy.memory.model import Ledger, Rank, Verdict
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
            **({"share": item.gpus.share} if item.gpus.share is not None else {}),
        },
        "served_names": list(item.served_names),
        "why": [{"setting": why.setting, "value": why.value, "because": why.because} for why in item.why],
        "memory": {
            "shm_gib": item.shm_gib,
            "gpu_gib": item.gpus.memory_gib,
            "host_gib": item.memory_gib,
            **memory(item.memory),
        },
        "ready_timeout_s": item.ready_timeout_s,
        "after": list(item.after),
        "startup": to_builtins(item.startup),
    }


def memory(ledger: Ledger | None) -> dict[str, Any]:
    """The same keys whether there is a ledger or not; sizes to a tenth of a MiB."""
    item = ledger or Ledger(Verdict.UNKNOWN)
    return {
        "verdict": item.verdict.value if ledger else None,
        "reason": item.reason,
        "margin_gib": _size(item.margin_gib),
        "usable_gib": _size(item.usable_gib),
        "ranks": [_rank(rank) for rank in item.ranks],
        "kv_tokens": item.kv_tokens,
        "requests_at_context": _size(item.requests_at_context),
        "max_sequences": item.max_sequences,
        "bytes_per_token": item.bytes_per_token,
        "context": item.context,
        "concurrency": item.concurrency,
        "batch_tokens": item.batch_tokens,
        "fraction": item.fraction,
        "kv_bytes_per_request": item.kv_bytes_per_request,
        "notes": list(item.notes),
    }


def route(item: Route) -> dict[str, Any]:
    return {
        "path": item.path,
        "model": item.service,
        "endpoints": [{"path": end.path, "match": end.match.value} for end in item.endpoints],
    }


def _rank(rank: Rank) -> dict[str, Any]:
    return {
        "stage": rank.stage,
        "rank": rank.rank,
        "weights_gib": _size(rank.weights_gib),
        "activation_gib": _size(rank.activation_gib),
        "nontorch_gib": _size(rank.nontorch_gib),
        "cuda_graphs_gib": _size(rank.cuda_graphs_gib),
        "kv_gib": _size(rank.kv_gib),
        "lines": [{"term": line.term, "gib": _size(line.gib), "rule": line.rule} for line in rank.lines],
    }


def _size(value: float | None) -> float | None:
    return None if value is None else round(value, 4)

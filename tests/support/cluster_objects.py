"""A cluster that is none: what kubectl would print of it, and of its Deployments, ReplicaSets and Pods."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from llmdeploy.runtime.deploy.model import Changes, Failed
from support.recording_runner import Clock, RecordingRunner

SERVED = "gateways.gateway.networking.k8s.io\nhttproutes.gateway.networking.k8s.io\n"
Object = dict[str, Any]


def machine(clock: Clock | None = None) -> RecordingRunner:
    """A cluster on which all is in order and nothing runs."""
    version = {"serverVersion": {"major": "1", "minor": "36", "gitVersion": "v1.36.2+k3s1"}}
    return (
        RecordingRunner(clock)
        .says("-o name", "")
        .says("-o json", listed())
        .says("current-context", "lab\n")
        .says(" version -o json", json.dumps(version))
        .says("api-resources", SERVED)
        .says("get namespace", "Active")
        .says("get secret", "token\n")
        .says(" diff ", "")
        .says(" apply ", "")
        .says(" logs ", "")
        .says("-o name --timeout", "No resources found\n")
    )


def shown(changes: Changes) -> list[tuple[str, str, str]]:
    return [(change.action.value, change.what, change.because) for change in changes.items]


def failing(call: Callable[[], Any]) -> Failed:
    with pytest.raises(Failed) as caught:
        call()
    return caught.value


def listed(*items: Object) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def deployment(name: str, *, ready: bool = True, observed: bool = True, replicas: int = 1) -> Object:
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "generation": 2},
        "spec": {"replicas": replicas},
        "status": {
            "observedGeneration": 2 if observed else 1,
            "replicas": replicas,
            "updatedReplicas": replicas,
            "availableReplicas": replicas if ready else 0,
        },
    }


def replica_set(owner: str, revision: int, replicas: int = 1) -> Object:
    return {
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{owner}-rs{revision}",
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "ownerReferences": [{"kind": "Deployment", "name": owner}],
        },
        "spec": {"replicas": replicas},
    }


def pod(
    owner: str,
    *statuses: Object,
    revision: int = 1,
    job: str = "",
    leaving: bool = False,
    phase: str = "Running",
    conditions: tuple[Object, ...] = (),
    init: tuple[Object, ...] = (),
) -> Object:
    """A Pod of a Deployment's ReplicaSet, or of a Job beside it."""
    owned = {"kind": "Job", "name": job} if job else {"kind": "ReplicaSet", "name": f"{owner}-rs{revision}"}
    ready = bool(statuses) and all(each["ready"] for each in (*init, *statuses))
    return {
        "kind": "Pod",
        "metadata": {
            "name": f"{owned['name']}-x",
            "ownerReferences": [owned],
            "labels": {
                "app.kubernetes.io/instance": owner,
                "app.kubernetes.io/component": "download" if job else "engine",
            },
            **({"deletionTimestamp": "2026-11-25T00:00:00Z"} if leaving else {}),
        },
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": str(ready)}, *conditions],
            "initContainerStatuses": list(init),
            "containerStatuses": list(statuses),
        },
    }


def container(
    state: Object, *, name: str = "engine", restarts: int = 0, ready: bool = False, last: Object | None = None
) -> Object:
    return {
        "name": name,
        "ready": ready,
        "restartCount": restarts,
        "state": state,
        "lastState": {"terminated": last} if last else {},
    }


def running(**more: Any) -> Object:
    return container({"running": {}}, **more)


def waiting(reason: str, message: str = "", **more: Any) -> Object:
    return container({"waiting": {"reason": reason, "message": message}}, **more)


def looping(restarts: int, reason: str = "Error", status: int = 1) -> Object:
    last = {"reason": reason, "exitCode": status}
    return waiting("CrashLoopBackOff", "back-off 40s restarting", restarts=restarts, last=last)


UNSCHEDULABLE = {
    "type": "PodScheduled",
    "status": "False",
    "reason": "Unschedulable",
    "message": "0/2 nodes are available: 2 Insufficient nvidia.com/gpu.",
}

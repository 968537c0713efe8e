"""One model as values: every knob that the manifests and the chart turn, and nothing that they derive."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from llmdeploy.plan.model import Download, Gpus, MountKind, Plan, Probe, Secret, Service, User
from llmdeploy.spec.targets import Kubernetes
from llmdeploy.targets.kubernetes.text import cores, file_key, gib, label_value, literal

PRODUCT_LABEL = "nvidia.com/gpu.product"

ROLLOUT_S = 600
"""For what comes before the start-up probe: scheduling, and pulling an image of 10 to 20 GB."""

CACHE_SIZE = "20Gi"


def service_values(plan: Plan, options: Kubernetes, service: Service) -> dict[str, Any]:
    launch, weights = service.launch, service.mount(MountKind.WEIGHTS)
    # Late is only reported: the Pod goes on.
    fetching = service.startup.fetch_limit_s if service.download else 0
    deadline = service.ready_timeout_s + ROLLOUT_S + fetching
    values: dict[str, Any] = {
        "engine": service.engine,
        "version": label_value(service.engine_version),
        "image": launch.image,
        "command": [literal(word) for word in launch.entrypoint],
        "args": [literal(word) for word in launch.args],
        "env": _env(launch.env),
        "secretEnv": {name: _reference(secret) for name, secret in launch.secret_env.items()},
        "port": launch.port,
        "replicas": service.replicas,
        "gpu": _gpu(service.gpus, options),
        "resources": _resources(options, service),
        "shmSize": gib(service.shm_gib),
        "podSecurityContext": _pod_security(service.user),
        "containerSecurityContext": _container_security(),
        "probes": _probes(service),
        "drain": {"preStopSeconds": service.drain.pre_stop_s, "graceSeconds": service.drain.grace_s},
        "progressDeadlineSeconds": deadline,
        "weights": {},
        "cache": {},
        "files": _files(service),
        "nodeSelector": dict(options.node_selector),
        "tolerations": _tolerations(service.gpus, options),
        "runtimeClassName": options.runtime_class,
        "podAnnotations": dict(options.annotations),
    }
    if weights:
        values["weights"] = {
            "path": weights.target,
            "readOnly": weights.read_only,
            "download": _download(service.download),
        }
    if cache := service.mount(MountKind.CACHE):
        values["cache"] = {"path": cache.target, "size": CACHE_SIZE}
    return values


def _env(env: Mapping[str, str]) -> dict[str, str]:
    return {name: literal(value) for name, value in env.items()}


def _reference(secret: Secret) -> dict[str, str]:
    name, key = secret.kubernetes or (secret.name, "value")  # a missing reference is an error of `check`
    return {"name": name, "key": key}


def _gpu(gpus: Gpus, options: Kubernetes) -> dict[str, Any]:
    if not gpus.count or gpus.resource is None:
        return {}
    # A GPU that is too small fails only after minutes of loading, so the product is required, not preferred;
    # whoever selects it by hand knows their nodes' labels better.
    products = [] if PRODUCT_LABEL in options.node_selector else list(gpus.products)
    return {"resource": gpus.resource, "count": gpus.count, "products": products}


def _tolerations(gpus: Gpus, options: Kubernetes) -> list[dict[str, Any]]:
    own = [toleration.model_dump(exclude_none=True) for toleration in options.tolerations]
    if not gpus.count or gpus.resource is None:
        return own
    domain = gpus.resource.partition("/")[0]
    # These vendors' taint is `gpu`, whatever slice a node offers; elsewhere the resource names the taint.
    key = f"{domain}/gpu" if domain in ("nvidia.com", "amd.com") else gpus.resource
    return [{"key": key, "operator": "Exists", "effect": "NoSchedule"}, *own]


def _resources(options: Kubernetes, service: Service) -> dict[str, str]:
    gpus, stated = service.gpus.count, options.resources
    # /dev/shm is memory of the container: a limit that leaves it out ends in an OOM kill.
    memory = stated.memory or service.memory_gib or 8 + 16 * gpus + service.shm_gib
    return {"cpu": cores(stated.cpu or 2 + 2 * gpus), "memory": gib(memory)}


def _pod_security(user: User | None) -> dict[str, Any]:
    # Group 0 owns the volumes for every image, whatever its user: models of one project share a claim.
    shared = {
        "fsGroup": 0,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if user is None:
        return shared
    return {"runAsNonRoot": True, "runAsUser": user.uid, "runAsGroup": user.gid, **shared}


def _container_security() -> dict[str, Any]:
    # A root engine needs no capability either: its files are root's, its port is above 1024, and the device
    # nodes are granted by cgroup. The root filesystem stays writable: nvidia-cdi-hook writes to it (KServe's
    # template says so, config-llm-template.yaml).
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def _probes(service: Service) -> dict[str, Any]:
    startup = service.probes.startup
    tries = max(1, math.ceil(service.ready_timeout_s / startup.period_s))
    return {
        "startup": {**_probe(startup), "failureThreshold": tries},
        "readiness": _probe(service.probes.readiness),
        "liveness": _probe(service.probes.liveness),
    }


def _probe(probe: Probe) -> dict[str, Any]:
    return {
        "path": probe.path,
        "periodSeconds": probe.period_s,
        "timeoutSeconds": probe.timeout_s,
        "failureThreshold": probe.failures,
    }


def _download(download: Download | None) -> dict[str, Any]:
    if download is None:
        return {}
    secret = {download.token_env: _reference(download.token)} if download.token else {}
    return {
        "command": [literal(word) for word in download.command],
        "env": _env(download.env),
        "secretEnv": secret,
    }


def _files(service: Service) -> dict[str, Any]:
    texts = {file.name: file.text for file in service.files}
    return {
        file_key(mount.source): {"path": mount.target, "text": texts[mount.source]}
        for mount in service.mounts
        if mount.kind is MountKind.FILE
    }

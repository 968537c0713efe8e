"""Targets: docker, Compose, and what Kubernetes and Helm have in common."""

from __future__ import annotations

from typing import Any

from effects.row import Row, below

FOR_CLUSTERS: dict[str, Any] = {
    "namespace": "elsewhere",
    "routing": "ingress",
    "ingress.class": "traefik",
    "gateway.class": Row({"gateway": {"class": "eg"}}, {"gateway": {}}),
    "gateway.port": Row({"gateway.port": 8000}, {"gateway": {"class": "traefik"}}),
    "gateway.tls_port": Row({"gateway.tls_port": 8443}, {"gateway": {"class": "traefik", "port": 8000}}),
    "gateway.name": "another",
    "gateway.namespace": "another",
    "gateway.section": "another",
    "node_selector": {"disk": "nvme"},
    "tolerations.0.key": "other",
    "tolerations.0.operator": Row(
        {"tolerations.0.operator": "Exists"}, {"tolerations": [{"key": "team", "operator": "Equal"}]}
    ),
    "tolerations.0.value": "b",
    "tolerations.0.effect": Row(
        {"tolerations.0.effect": "NoSchedule"}, {"tolerations": [{"key": "team", "effect": "NoExecute"}]}
    ),
    "tolerations.0.tolerationSeconds": 120,
    "runtime_class": "nvidia",
    "image_pull_secrets": ["registry"],
    "annotations": {"team": "ml"},
    "resources.cpu": 12,
    "resources.memory": "99GiB",
    "patches.0.kind": Row(
        {"patches.0.kind": "Service"},
        {"patches": [{"kind": "Deployment", "patch": {"metadata": {"annotations": {"a": "b"}}}}]},
    ),
    "patches.0.name": "proj-odd",
    "patches.0.patch": {"spec": {"revisionHistoryLimit": 2}},
}

ROWS: dict[str, Any] = {
    "targets.docker.bind": "0.0.0.0",
    "targets.docker.port": 9000,
    "targets.compose.bind": "0.0.0.0",
    "targets.compose.port": 9000,
    "targets.compose.overrides": {"services": {"chat": {"mem_limit": "64g"}}},
    **below("targets.kubernetes", FOR_CLUSTERS),
    **below("targets.helm", FOR_CLUSTERS),
}

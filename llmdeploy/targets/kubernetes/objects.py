"""The objects around the Pods, one function a kind."""

from __future__ import annotations

from typing import Any

from llmdeploy.targets.kubernetes import download
from llmdeploy.targets.kubernetes.meta import (
    DOWNLOAD,
    PART_OF,
    Object,
    Values,
    labels,
    object_of,
    project_labels,
    selector,
)
from llmdeploy.targets.kubernetes.pod import config_hash, pod_spec

# DNS, and whatever the Hub's CDN answers from; no policy can name hosts.
WAY_OUT: list[Object] = [
    {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]},
    {"ports": [{"port": 443, "protocol": "TCP"}]},
]


def namespace(name: str, values: Values) -> Object:
    users = [service["podSecurityContext"].get("runAsNonRoot") for service in values["services"].values()]
    level = "restricted" if all(users) else "baseline"
    marks = {
        "pod-security.kubernetes.io/enforce": level,
        # Pinned, so that a cluster's upgrade does not change what may run.
        "pod-security.kubernetes.io/enforce-version": "v1.31",
    }
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": marks}}


def service_account(project: str, model: str, service: Values) -> Object:
    marks = labels(project, model, service)
    return object_of("v1", "ServiceAccount", f"{project}-{model}", marks, automountServiceAccountToken=False)


def config_map(project: str, model: str, service: Values) -> Object:
    data = {key: file["text"] for key, file in sorted(service["files"].items())}
    return object_of("v1", "ConfigMap", f"{project}-{model}", labels(project, model, service), data=data)


def claims(project: str, values: Values) -> list[Object]:
    """Return the claims for weights: one for all models where it can be shared, else one for each."""
    users = {model: service for model, service in values["services"].items() if service["weights"]}
    if users and download.shared(values):
        return [_claim(f"{project}-models", project_labels(project, "models"), values["storage"])]
    return [
        _claim(f"{project}-{model}-models", labels(project, model, service), values["storage"])
        for model, service in users.items()
    ]


def _claim(name: str, marks: dict[str, str], storage: Values) -> Object:
    spec: Object = {
        "accessModes": [storage["accessMode"]],
        "resources": {"requests": {"storage": storage["size"]}},
    }
    if storage["className"]:  # an empty one would mean: no class at all
        spec["storageClassName"] = storage["className"]
    return object_of("v1", "PersistentVolumeClaim", name, marks, spec=spec)


def deployment(project: str, model: str, service: Values, values: Values) -> Object:
    marks = labels(project, model, service)
    annotations = {"llmdeploy.io/config-hash": config_hash(service), **service["podAnnotations"]}
    return object_of(
        "apps/v1",
        "Deployment",
        f"{project}-{model}",
        marks,
        spec={
            "replicas": service["replicas"],
            "revisionHistoryLimit": 3,
            "progressDeadlineSeconds": service["progressDeadlineSeconds"],
            "strategy": _strategy(service),
            "selector": {"matchLabels": selector(project, model)},
            "template": {
                "metadata": {"labels": marks, "annotations": annotations},
                "spec": pod_spec(project, model, service, values),
            },
        },
    )


def _strategy(service: Values) -> dict[str, Any]:
    """Never ask for a GPU more than the replicas have: without a spare one, a surge waits for ever."""
    if service["replicas"] > 1:
        return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    return {"type": "Recreate"}


def service(project: str, model: str, service: Values) -> Object:
    return object_of(
        "v1",
        "Service",
        f"{project}-{model}",
        labels(project, model, service),
        spec={
            "type": "ClusterIP",
            "selector": selector(project, model),
            "ports": [{"name": "http", "port": service["port"], "targetPort": "http", "protocol": "TCP"}],
        },
    )


def network_policy(project: str, model: str, service: Values, values: Values) -> Object:
    """Let the cluster in on the one port, and nothing out. Which namespace a gateway runs in is not known here."""
    return object_of(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        f"{project}-{model}",
        labels(project, model, service),
        spec={
            "podSelector": {"matchLabels": selector(project, model)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [
                {"from": [{"namespaceSelector": {}}], "ports": [{"port": "http", "protocol": "TCP"}]}
            ],
            "egress": WAY_OUT if download.in_pod(service, values) else [],
        },
    )


def download_policy(project: str) -> Object:
    return object_of(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        f"{project}.{DOWNLOAD}",
        project_labels(project, DOWNLOAD),
        spec={
            "podSelector": {"matchLabels": {PART_OF: project, "app.kubernetes.io/component": DOWNLOAD}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [],
            "egress": WAY_OUT,
        },
    )


def disruption_budget(project: str, model: str, service: Values) -> Object:
    """One Pod at a time; `minAvailable: 1` with one replica would block the drain of a node for ever."""
    return object_of(
        "policy/v1",
        "PodDisruptionBudget",
        f"{project}-{model}",
        labels(project, model, service),
        spec={
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": selector(project, model)},
        },
    )

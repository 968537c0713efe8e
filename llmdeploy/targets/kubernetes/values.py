"""The one lowering: a plan as values, from which the manifests are built here and by the chart there."""

from __future__ import annotations

from typing import Any

from llmdeploy.plan.model import Plan
from llmdeploy.spec.targets import Kubernetes
from llmdeploy.targets.kubernetes.patches import as_data
from llmdeploy.targets.kubernetes.service_values import service_values
from llmdeploy.targets.kubernetes.text import gib

GATEWAY_CLASS = "traefik"
"""Conformant, in k3s by default, and one binary elsewhere; `gateway.class` changes it."""


def values(plan: Plan, options: Kubernetes) -> dict[str, Any]:
    return {
        "services": {service.name: service_values(plan, options, service) for service in plan.services},
        "routes": [
            {
                "path": route.path,
                "service": route.service,
                "endpoints": [{"path": end.path, "match": end.match.value} for end in route.endpoints],
            }
            for route in plan.routes
        ],
        "routing": _routing(plan, options),
        "storage": {
            "accessMode": plan.storage.access,
            "size": gib(plan.storage.size_gib),
            "className": plan.storage.storage_class or "",
        },
        "auth": _auth(plan),
        "imagePullSecrets": list(options.image_pull_secrets),
        "patches": [as_data(patch) for patch in options.patches],
    }


def _routing(plan: Plan, options: Kubernetes) -> dict[str, Any]:
    gateway = options.gateway
    return {
        "type": options.routing,
        "host": plan.gateway.host or "",
        "tlsSecret": plan.gateway.tls_secret or "",
        "gateway": {
            "className": gateway.class_ or GATEWAY_CLASS,
            "port": gateway.port,
            "tlsPort": gateway.tls_port,
            "name": gateway.name or "",
            "namespace": gateway.namespace or "",
            "section": gateway.section or "",
        },
        "ingress": {"className": options.ingress.class_, "idleTimeoutSeconds": plan.gateway.idle_timeout_s},
    }


def _auth(plan: Plan) -> dict[str, str]:
    """The key that the engines check, for whoever asks them in the cluster (the chart's test)."""
    secret = plan.gateway.auth
    return dict(zip(("name", "key"), secret.kubernetes, strict=True)) if secret and secret.kubernetes else {}

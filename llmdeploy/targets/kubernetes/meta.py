"""Names and labels. A name with a dot cannot collide with that of a model, which is a DNS label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]
Values = Mapping[str, Any]

ENGINE = "engine"
DOWNLOAD = "download"
PART_OF = "app.kubernetes.io/part-of"


def selector(project: str, model: str, component: str = ENGINE) -> dict[str, str]:
    """Return what selects a model's Pods.

    A Deployment's selector is immutable, so what llm.yaml may change (the engine, its version) is not in it.
    """
    return {"app.kubernetes.io/instance": f"{project}-{model}", "app.kubernetes.io/component": component}


def labels(project: str, model: str, service: Values, component: str = ENGINE) -> dict[str, str]:
    return {
        "app.kubernetes.io/name": service["engine"],
        **selector(project, model, component),
        "app.kubernetes.io/version": service["version"],
        PART_OF: project,
        "app.kubernetes.io/managed-by": "llmdeploy",
    }


def project_labels(project: str, component: str) -> dict[str, str]:
    """Return the labels of what belongs to no single model."""
    return {
        "app.kubernetes.io/name": project,
        "app.kubernetes.io/instance": project,
        "app.kubernetes.io/component": component,
        PART_OF: project,
        "app.kubernetes.io/managed-by": "llmdeploy",
    }


def object_of(api: str, kind: str, name: str, labels: Mapping[str, str], **body: Any) -> Object:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": dict(labels)}, **body}

"""What every container and Pod of ours has in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmdeploy.targets.kubernetes.meta import Object, Values

SCRATCH: Object = {"name": "tmp", "emptyDir": {"sizeLimit": "20Gi"}}
SCRATCH_MOUNT: Object = {"name": "tmp", "mountPath": "/tmp"}


def env(plain: Mapping[str, str], secret: Mapping[str, Any]) -> list[Object]:
    return [
        *({"name": name, "value": plain[name]} for name in sorted(plain)),
        *({"name": name, "valueFrom": {"secretKeyRef": dict(secret[name])}} for name in sorted(secret)),
    ]


def pod_basics(project: str, model: str, service: Values, values: Values) -> Object:
    names = values["imagePullSecrets"]
    return {
        # `<SERVICE>_PORT=tcp://…` is read by several engines as their own setting, and kills them.
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "serviceAccountName": f"{project}-{model}",
        "securityContext": service["podSecurityContext"],
        **({"imagePullSecrets": [{"name": name} for name in names]} if names else {}),
    }


def claim_volume(claim: str) -> Object:
    return {"name": "models", "persistentVolumeClaim": {"claimName": claim}}

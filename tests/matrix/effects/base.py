"""The llm.yaml that every row starts from."""

from __future__ import annotations

import copy
from typing import Any

from support import specs

COMMIT = "a09a35458c702b33eeacc393d103063234e8bc28"
KUBERNETES: dict[str, Any] = {
    "routing": "gateway-api",
    "node_selector": {"disk": "ssd"},
    "tolerations": [
        {"key": "team", "operator": "Equal", "value": "a", "effect": "NoExecute", "tolerationSeconds": 60}
    ],
    "gateway": {"name": "shared", "namespace": "gateways", "section": "web"},
    "patches": [
        {"kind": "Deployment", "name": "proj-chat", "patch": {"spec": {"revisionHistoryLimit": 1}}},
        {"kind": "Deployment", "patch": {"spec": {"paused": False}}},
    ],
}
BASE: dict[str, Any] = {
    "version": 1,
    "name": "proj",
    "gpus": {
        "h100": {"type": "h100-sxm-80gb", "count": 8},
        "odd": {"vendor": "nvidia", "memory": "48GiB", "capability": "8.9", "count": 4},
        "cpu": {"type": "cpu", "memory": "32GiB"},
    },
    "secrets": {
        **specs.SECRETS,
        "other": {"env": "OTHER", "kubernetes": {"name": "other", "key": "other"}},
    },
    "models": {
        "chat": {
            "source": {"hub": "Qwen/Qwen2.5-7B-Instruct"},
            "revision": COMMIT,
            "token": "hf-token",
            "engine": "vllm",
            "engine_version": "0.33.0",
            "gpus": {"pool": "h100", "count": 4},
            "context": 8192,
        },
        "odd": {"source": "Qwen/Qwen3-8B", "gpus": {"pool": "odd"}, "context": 8192},
        "small": {"source": "Qwen/Qwen2.5-0.5B-Instruct", "gpus": {"pool": "cpu"}, "context": 4096},
    },
    "routes": [
        {"path": "/chat", "model": "chat"},
        {"path": "/odd", "model": "odd"},
        {"path": "/small", "model": "small"},
    ],
    "gateway": {"host": "llm.example.com", "auth": "api-key"},
    "storage": {"cache": {"access": "ReadWriteMany"}},
    "targets": {"docker": {}, "compose": {}, "kubernetes": KUBERNETES, "helm": copy.deepcopy(KUBERNETES)},
}

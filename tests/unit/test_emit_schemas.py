"""Vendored schemas accept what the formats allow and point at what they do not."""

from __future__ import annotations

import copy
import subprocess
import sys

import pytest

from llmdeploy.emit.schemas import schema_errors

COMPOSE = {
    "name": "llm",
    "services": {
        "chat": {
            "image": "vllm/vllm-openai:v0.33.0",
            "command": ["org/model"],
            "healthcheck": {"test": ["CMD", "true"], "start_interval": "5s", "start_period": "20m"},
            "deploy": {
                "resources": {
                    "reservations": {
                        "devices": [{"driver": "nvidia", "device_ids": ["0"], "capabilities": ["gpu"]}]
                    }
                }
            },
        }
    },
    "volumes": {"weights": {}},
    "x-llmdeploy": {"anything": True},
}

DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "chat", "labels": {"app": "chat"}},
    "spec": {
        "selector": {"matchLabels": {"app": "chat"}},
        "template": {
            "metadata": {"labels": {"app": "chat"}},
            "spec": {
                "enableServiceLinks": False,
                "containers": [
                    {
                        "name": "engine",
                        "image": "vllm/vllm-openai:v0.33.0",
                        "args": ["org/model"],
                        "ports": [{"name": "http", "containerPort": 8000}],
                        "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}},
                        "resources": {"limits": {"nvidia.com/gpu": "1", "cpu": 4}},
                    }
                ],
                "volumes": [{"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "2Gi"}}],
            },
        },
    },
}

ROUTE = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "HTTPRoute",
    "metadata": {"name": "chat"},
    "spec": {
        "parentRefs": [{"name": "public"}],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": "/chat/v1"}}],
                "timeouts": {"request": "0s"},
                "backendRefs": [{"name": "chat", "port": 8000}],
            }
        ],
    },
}

CONTAINER = ("spec", "template", "spec", "containers", 0)


def changed(document, path, value):
    """A copy of `document` with the value at `path` replaced, or removed where `value` is None."""
    copied = copy.deepcopy(document)
    parent = copied
    for step in path[:-1]:
        parent = parent[step]
    if value is None:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return copied


@pytest.mark.parametrize(
    ("kind", "document"), [("compose", COMPOSE), ("kubernetes", DEPLOYMENT), ("kubernetes", ROUTE)]
)
def test_accepts_what_is_right(kind, document):
    assert schema_errors(kind, document) == []


@pytest.mark.parametrize(
    ("kind", "document", "path", "value", "where", "says"),
    [
        ("compose", COMPOSE, ("services", "chat", "imagee"), "x", ("services", "chat"), "imagee"),
        (
            *("compose", COMPOSE, ("services", "chat", "command"), 5),
            *(("services", "chat", "command"), "5 is not"),
        ),
        ("compose", COMPOSE, ("nonsense",), {}, (), "nonsense"),
        ("kubernetes", DEPLOYMENT, (*CONTAINER, "arguments"), ["x"], CONTAINER, "arguments"),
        ("kubernetes", DEPLOYMENT, (*CONTAINER, "name"), None, CONTAINER, "'name' is a required property"),
        (
            "kubernetes",
            DEPLOYMENT,
            (*CONTAINER, "args", 0),
            1e3,
            (*CONTAINER, "args", 0),
            "not of type 'string'",
        ),
        ("kubernetes", DEPLOYMENT, ("status",), {}, (), "status"),
        ("kubernetes", DEPLOYMENT, ("apiVersion",), "extensions/v1beta1", (), "no schema for"),
        (
            *("kubernetes", ROUTE, ("spec", "rules", 0, "timeouts", "request"), "1 minute"),
            *(("spec", "rules", 0, "timeouts", "request"), "does not match"),
        ),
        ("kubernetes", ROUTE, ("spec", "gateways"), [], ("spec",), "gateways"),
    ],
)
def test_points_at_what_is_wrong(kind, document, path, value, where, says):
    errors = schema_errors(kind, changed(document, path, value))
    assert [error[0] for error in errors] == [where]
    assert says in errors[0][1]


def test_null_is_a_slip():
    document = copy.deepcopy(DEPLOYMENT)
    document["spec"]["replicas"] = None
    assert schema_errors("kubernetes", document) == [(("spec", "replicas"), "None is not of type 'integer'")]


def test_knows_which_kinds_it_can_judge():
    assert not schema_errors("kubernetes", ROUTE)
    unknown = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject"}
    assert schema_errors("kubernetes", unknown) == [((), "no schema for `keda.sh/v1alpha1/ScaledObject`")]
    with pytest.raises(ValueError, match="helm"):
        schema_errors("helm", {})


def test_importing_it_does_not_import_jsonschema():
    code = "import sys, llmdeploy.emit.schemas; sys.exit('jsonschema' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

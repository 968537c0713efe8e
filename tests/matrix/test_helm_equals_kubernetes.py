"""The emitted chart renders to the emitted manifests: they are one deployment in two spellings.

The Namespace is helm's own business (`-n`), and the test hook has no counterpart. The hand-made plans of
tests/contract/test_helm_real.py hold the same over more than llm.yaml can say; here it is every example.
"""

from __future__ import annotations

from typing import Any

import pytest
from support import readback, specs

ROUTINGS = ("gateway-api", "ingress", "none")
EXAMPLES = [name for name in specs.examples() if "kubernetes" in specs.targets_of(name)]
# Helm owns what it made, and says so; a claim outlives its release.
ONLY_HELM = {"helm.sh/resource-policy"}
MANAGED_BY = "app.kubernetes.io/managed-by"


@pytest.mark.parametrize("routing", ROUTINGS)
@pytest.mark.parametrize("example", EXAMPLES)
def test_chart_renders_the_manifests(example, routing, tmp_path):
    data = specs.data_of(example)
    # helm takes the options of kubernetes, unless it states its own.
    kubernetes = {**(data.get("targets", {}).get("kubernetes") or {}), "routing": routing}
    data = {**data, "targets": {"kubernetes": kubernetes, "helm": {}}}
    built = specs.written(specs.compile_example(example, data), tmp_path)
    namespace = kubernetes.get("namespace", built.plan.name)
    chart = readback.rendered(built.plan, tmp_path / "helm" / built.plan.name, "--namespace", namespace)
    manifests = readback.kustomized(tmp_path / "kubernetes")
    assert by_name(chart) == by_name(manifests)


def by_name(objects: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
    return {
        (each["kind"], each["metadata"]["name"]): neutral(each)
        for each in objects
        if each["kind"] != "Namespace" and "helm.sh/hook" not in each["metadata"].get("annotations", {})
    }


def neutral(node: Any) -> Any:
    if isinstance(node, list):
        return [neutral(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: neutral(value) for key, value in node.items() if key not in ONLY_HELM}
    kept.pop(MANAGED_BY, None)
    return {key: value for key, value in kept.items() if not (key == "annotations" and not value)}

"""The target `kubernetes`: plain manifests, applied as they are or through the kustomization."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.emit import Artifact
from llmdeploy.plan.model import Plan
from llmdeploy.spec.targets import Kubernetes
from llmdeploy.targets.base import Feature, Guide
from llmdeploy.targets.kubernetes import guide, layout
from llmdeploy.targets.kubernetes.check import check
from llmdeploy.targets.kubernetes.manifests import Files, manifests
from llmdeploy.targets.kubernetes.patches import as_data, patched


@dataclass(frozen=True, slots=True)
class KubernetesTarget:
    name: str = "kubernetes"
    features: frozenset[Feature] = frozenset({Feature.MANY_NODES})
    secret_kind: str = "kubernetes"
    options: None = None

    def check(self, plan: Plan) -> Iterator[Diagnostic]:
        return check(plan, self.name)

    def emit(self, plan: Plan) -> Iterator[Artifact]:
        options: Kubernetes = plan.options[self.name]
        yield from layout.artifacts(final(plan, options), options.namespace or plan.name)
        yield from layout.images(plan, self.name)

    def guide(self, plan: Plan) -> Guide:
        return guide.manifests_guide(plan, plan.options[self.name])


def final(plan: Plan, options: Kubernetes) -> Files:
    patches = [as_data(patch) for patch in options.patches]
    return {
        file: [patched(item, patches) for item in items] for file, items in manifests(plan, options).items()
    }

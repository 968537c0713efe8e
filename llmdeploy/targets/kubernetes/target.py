"""The target `kubernetes`: plain manifests, applied as they are or through the kustomization."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.emit import Artifact
from llmdeploy.plan.model import Plan
from llmdeploy.spec.targets import Kubernetes
from llmdeploy.targets.base import Feature, Guide
from llmdeploy.targets.kubernetes.check import check


class KubernetesTarget(Struct, frozen=True):
    name: str = "kubernetes"
    features: frozenset[Feature] = frozenset({Feature.MANY_NODES})
    secret_kind: str = "kubernetes"
    options: None = None

    def check(self, plan: Plan) -> Iterator[Diagnostic]:
        return check(plan, self.name)

    def emit(self, plan: Plan) -> Iterator[Artifact]:
        # What only a build needs, `validate` does not pay for.
        from llmdeploy.targets.kubernetes import layout
        from llmdeploy.targets.kubernetes.manifests import final

        options: Kubernetes = plan.options[self.name]
        yield from layout.artifacts(final(plan, options), options.namespace or plan.name)
        yield from layout.images(plan, self.name)

    def guide(self, plan: Plan) -> Guide:
        from llmdeploy.targets.kubernetes import guide

        return guide.manifests_guide(plan, plan.options[self.name])

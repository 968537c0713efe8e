"""The target `helm`. The objects are those of the target `kubernetes`; a test holds the two equal."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.emit import Artifact, shell
from llmdeploy.plan.model import Plan
from llmdeploy.spec.targets import Kubernetes
from llmdeploy.targets.base import Feature, Guide, Step
from llmdeploy.targets.kubernetes.check import check
from llmdeploy.targets.kubernetes.origins import section


class HelmTarget(Struct, frozen=True):
    name: str = "helm"
    features: frozenset[Feature] = frozenset({Feature.MANY_NODES})
    secret_kind: str = "kubernetes"
    options: None = None

    def check(self, plan: Plan) -> Iterator[Diagnostic]:
        yield from check(plan, self.name)
        for index, patch in enumerate(plan.options[self.name].patches):
            if patch.kind == "Namespace":
                path = (*section(plan, self.name, "patches"), index)
                yield Diagnostic(
                    "LD407", "a chart leaves its namespace to who installs it: not patched there", path
                )

    def emit(self, plan: Plan) -> Iterator[Artifact]:
        # What only a build needs, `validate` does not pay for.
        from llmdeploy.targets.helm.chart import chart
        from llmdeploy.targets.kubernetes import layout

        yield from chart(plan, plan.options[self.name])
        yield from layout.images(plan, self.name)

    def guide(self, plan: Plan) -> Guide:
        from llmdeploy.targets.kubernetes import commands, guide

        options: Kubernetes = plan.options[self.name]
        name, namespace = plan.name, options.namespace or plan.name
        minutes = guide.budget_minutes(plan, options)
        return Guide(
            title="Helm",
            base_url=guide.base_url(plan, options),
            has_gateway=options.routing != "none",
            secrets=(
                Step(f"kubectl create namespace {namespace}", "secrets live in the namespace"),
                *guide.secret_steps(plan, options),
            ),
            apply=(
                *guide.image_steps(plan, self.name),
                Step(
                    shell.join(commands.upgrade(name, f"helm/{name}", namespace, f"{minutes}m")),
                    "the default of 5 minutes is over before a model is loaded",
                ),
                Step(f"helm test {name} -n {namespace} --logs"),
            ),
            undo=(
                Step(shell.join(commands.uninstall(name, namespace)), "keeps the weights"),
                Step(f"kubectl delete namespace {namespace}", "all that is in it, weights too"),
            ),
            remarks=(
                "Needs Helm 4; Helm 3 calls `--rollback-on-failure` `--atomic`.",
                *guide.remarks(plan, options),
            ),
        )

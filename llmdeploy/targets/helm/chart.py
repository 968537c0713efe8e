"""The chart's files: static ones as they are, Chart.yaml and values.yaml from the plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from llmdeploy import resources
from llmdeploy.emit import Artifact
from llmdeploy.emit.yaml import dump
from llmdeploy.plan.model import Plan
from llmdeploy.spec.targets import Kubernetes
from llmdeploy.targets.kubernetes.text import digest
from llmdeploy.targets.kubernetes.values import values

STATIC = (
    ".helmignore",
    "values.schema.json",
    "templates/NOTES.txt",
    "templates/_download.tpl",
    "templates/_names.tpl",
    "templates/_patch.tpl",
    "templates/_pod.tpl",
    "templates/_routes.tpl",
    "templates/claims.yaml",
    "templates/configmaps.yaml",
    "templates/deployments.yaml",
    "templates/disruptionbudgets.yaml",
    "templates/downloads.yaml",
    "templates/gateway.yaml",
    "templates/httproutes.yaml",
    "templates/ingress.yaml",
    "templates/networkpolicies.yaml",
    "templates/serviceaccounts.yaml",
    "templates/services.yaml",
    "templates/tests/smoke.yaml",
)

COMMENTS = {
    "services": "One entry a model. Kubernetes expands `$(NAME)` in command, args and env; `$$` is a dollar.\n"
    "Whoever selects nodes by hand empties gpu.products, which asks for the GPU that llm.yaml names.",
    "routes": "`path` is stripped; below it only `endpoints` pass: a prefix (by whole segments) or exact.",
    "routing": "type: gateway-api, ingress or none. With gateway.name routes attach to that Gateway,\n"
    "else one of gateway.className is made.",
    "storage": "The weights: one claim for all models with ReadWriteMany, else one for each.",
    "auth": "The Secret with the key that the engines check; `helm test` sends it.",
    "imagePullSecrets": "Names of Secrets.",
    "patches": "Merged into the objects of a kind (and name): maps by key, lists of named maps by name.",
}


def chart(plan: Plan, options: Kubernetes) -> Iterator[Artifact]:
    knobs = values(plan, options)
    root = f"helm/{plan.name}"
    description = {
        "apiVersion": "v2",
        "name": plan.name,
        "description": "Models, made by llmdeploy from llm.yaml.",
        "type": "application",
        "version": "1.0.0",
        # Another llm.yaml is another version of what runs.
        "appVersion": digest(knobs),
        # With the suffix, for clouds append theirs.
        "kubeVersion": ">=1.31.0-0",
    }
    yield Artifact(f"{root}/Chart.yaml", dump(description))
    yield Artifact(f"{root}/values.yaml", _commented(knobs))
    for path in STATIC:
        yield Artifact(f"{root}/{path}", resources.read_text(f"templates/helm/{path}"))


def _commented(knobs: dict[str, Any]) -> str:
    header = (
        "# Made by llmdeploy from llm.yaml. Better than editing: a second file of values (-f), or --set.\n"
    )
    sections = []
    for key, value in knobs.items():
        comment = "".join(f"# {line}\n" for line in COMMENTS[key].splitlines())
        sections.append(f"\n{comment}{dump({key: value})}")
    return header + "".join(sections)

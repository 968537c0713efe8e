"""From objects to files."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.emit import Artifact
from llmdeploy.emit.yaml import dump, dump_all
from llmdeploy.plan.model import Plan
from llmdeploy.targets.kubernetes.manifests import Files

HEADER = "# Made by llmdeploy from llm.yaml: change that, and build again.\n"


def artifacts(files: Files, namespace: str) -> Iterator[Artifact]:
    written = {name: objects for name, objects in files.items() if objects}
    for name, objects in written.items():
        yield Artifact(f"kubernetes/{name}", HEADER + dump_all(objects))
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace,
        "resources": list(written),
    }
    yield Artifact("kubernetes/kustomization.yaml", HEADER + dump(kustomization))


def images(plan: Plan, folder: str) -> Iterator[Artifact]:
    """Yield the build contexts of images that the user builds and pushes, as `image` names them."""
    for service in plan.services:
        for file in service.build.files if service.build else ():
            yield Artifact(f"{folder}/images/{service.name}/{file.name}", file.text)

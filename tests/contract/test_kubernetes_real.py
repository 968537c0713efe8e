"""Real tools judge the manifests: the API's own schemas of three releases, and kubectl."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from support.kube_plans import NASTY, plans
from support.tools import Run, runner

from llmdeploy.emit.schemas import schema_errors
from llmdeploy.plan.model import Plan
from llmdeploy.targets.kubernetes import TARGET

PLANS = plans()
CRDS = {"Gateway", "HTTPRoute"}


@pytest.fixture(params=PLANS)
def plan(request: pytest.FixtureRequest) -> Plan:
    return PLANS[request.param]


def write(plan: Plan, root: Path) -> list[dict[str, Any]]:
    documents = []
    for artifact in TARGET.emit(plan):
        path = root / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifact.text, encoding="utf-8")
        if path.suffix == ".yaml" and path.name != "kustomization.yaml":
            documents += yaml.safe_load_all(artifact.text)
    return documents


def test_the_api_of_three_releases_takes_every_object(plan: Plan, tmp_path: Path) -> None:
    validate = runner("kubernetes-validate")
    documents = [document for document in write(plan, tmp_path) if document["kind"] not in CRDS]
    (tmp_path / "all.yaml").write_text(yaml.safe_dump_all(documents))
    done = validate("--strict", *("-k", "1.31", "-k", "1.34", "-k", "1.37"), str(tmp_path / "all.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr
    # An object that it has no schema for is only a warning, and unchecked.
    assert "WARN" not in done.stdout


def test_the_vendored_schemas_take_every_object(plan: Plan, tmp_path: Path) -> None:
    for document in write(plan, tmp_path):
        assert schema_errors("kubernetes", document) == [], document["kind"]


@pytest.mark.needs("kubectl")
def test_kustomize_builds_the_same_objects(plan: Plan, tmp_path: Path, kubectl: Run) -> None:
    written = write(plan, tmp_path)
    done = kubectl("kustomize", str(tmp_path / "kubernetes"))
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))

    def key(item: dict[str, Any]) -> tuple[str, str]:
        return item["kind"], item["metadata"]["name"]

    assert sorted(built, key=key) == sorted(written, key=key)


@pytest.mark.needs("kubectl")
def test_go_reads_every_string_as_it_was_meant(tmp_path: Path, kubectl: Run) -> None:
    write(PLANS["nasty"], tmp_path)
    done = kubectl("kustomize", str(tmp_path / "kubernetes"))
    pods = [
        d["spec"]["template"]["spec"] for d in yaml.safe_load_all(done.stdout) if d["kind"] == "Deployment"
    ]
    engine = next(pod["containers"][0] for pod in pods if pod["containers"][0]["command"] == ["fake"])
    assert [expand(word) for word in engine["args"]] == list(NASTY.values())
    env = {item["name"]: expand(item["value"]) for item in engine["env"] if "value" in item}
    assert {name: env[name] for name in NASTY} == NASTY


def expand(text: str) -> str:
    """Kubernetes' own expansion without any variable (third_party/forked/golang/expansion/expand.go)."""
    out, rest = "", text
    while rest:
        if rest.startswith("$$"):
            out, rest = out + "$", rest[2:]
        else:
            assert not rest.startswith("$("), f"a reference is left in {text!r}"
            out, rest = out + rest[0], rest[1:]
    return out

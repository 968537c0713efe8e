"""helm itself judges the chart, and what it renders is what the target `kubernetes` writes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.kube_plans import plans
from support.tools import Run

from llmdeploy.plan.model import Plan
from llmdeploy.targets.helm import TARGET
from llmdeploy.targets.helm.chart import STATIC
from llmdeploy.targets.kubernetes import TARGET as KUBERNETES

pytestmark = pytest.mark.needs("helm")

PLANS = plans()
ROOT = Path(__file__).resolve().parents[2]
Objects = dict[tuple[str, str], Any]


def write(plan: Plan, root: Path) -> Path:
    for artifact in TARGET.emit(plan):
        path = root / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifact.text, encoding="utf-8")
    return root / "helm" / plan.name


def template(helm: Run, plan: Plan, chart: Path, *extra: str) -> Any:
    namespace = plan.options["helm"].namespace or plan.name
    return helm("template", plan.name, str(chart), "-n", namespace, *extra)


def by_name(documents: Any) -> Objects:
    return {(d["kind"], d["metadata"]["name"]): d for d in documents if d}


def rendered(text: str) -> Objects:
    """What helm rendered, without its test, and without what only a chart says."""
    objects = by_name(yaml.safe_load_all(text))
    for item in objects.values():
        if item["kind"] == "PersistentVolumeClaim":
            annotations = item["metadata"]["annotations"]
            assert annotations.pop("helm.sh/resource-policy") == "keep"
            if not annotations:
                del item["metadata"]["annotations"]
    return {key: _managed_by_llmdeploy(item) for key, item in objects.items() if key[0] != "Pod"}


def _managed_by_llmdeploy(value: Any) -> Any:
    if isinstance(value, Mapping):
        label = "app.kubernetes.io/managed-by"
        return {
            key: "llmdeploy" if key == label else _managed_by_llmdeploy(item) for key, item in value.items()
        }
    return [_managed_by_llmdeploy(item) for item in value] if isinstance(value, list) else value


def manifests(plan: Plan) -> Objects:
    texts = [
        a.text for a in KUBERNETES.emit(plan) if a.path.endswith(".yaml") and "kustomization" not in a.path
    ]
    objects = by_name(document for text in texts for document in yaml.safe_load_all(text))
    return {key: item for key, item in objects.items() if key[0] != "Namespace"}


@pytest.fixture(params=PLANS)
def plan(request: pytest.FixtureRequest) -> Plan:
    return PLANS[request.param]


@pytest.mark.parametrize("version", ["1.31.0", "1.37.1"])
def test_the_chart_renders_the_manifests(plan: Plan, version: str, tmp_path: Path, helm: Run) -> None:
    done = template(helm, plan, write(plan, tmp_path), "--kube-version", version)
    assert done.returncode == 0, done.stderr
    have, want = rendered(done.stdout), manifests(plan)
    assert sorted(have) == sorted(want)
    for key, item in want.items():
        assert have[key] == item, key


def test_lint_has_nothing_to_say(plan: Plan, tmp_path: Path, helm: Run) -> None:
    done = helm("lint", "--strict", str(write(plan, tmp_path)), "--kube-version", "1.34.0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout


def test_every_file_of_the_chart_is_emitted() -> None:
    folder = ROOT / "templates/helm"
    assert sorted(STATIC) == sorted(
        p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()
    )


def test_no_template_evaluates_values() -> None:
    for name in STATIC:
        actions = re.findall(r"\{\{.*?\}\}", (ROOT / "templates/helm" / name).read_text())
        assert not any(re.search(r"\btpl\b", action) for action in actions), name


@pytest.mark.parametrize(
    ("flags", "where"),
    [
        (["--set", "services.chat.replica=2"], "replica"),
        (["--set", "services.chat.port=99999"], "port"),
        (["--set", "services.chat.gpu.count=0"], "count"),
        (["--set", "services.chat.resources.memory=64GiB"], "memory"),
        (["--set-string", "services.chat.replicas=2"], "replicas"),
        (["--set", "routing.type=loadbalancer"], "type"),
        (["--set", "storage.accessMode=ReadWriteMost"], "accessMode"),
        (["--set", "services.chat.env.LEVEL=1"], "LEVEL"),
        (["--set", "colour=blue"], "colour"),
    ],
)
def test_a_wrong_value_is_refused_by_name(flags: list[str], where: str, tmp_path: Path, helm: Run) -> None:
    plan = PLANS["one"]
    done = template(helm, plan, write(plan, tmp_path), *flags)
    assert done.returncode != 0
    assert where in done.stderr


def test_values_can_be_changed_afterwards(tmp_path: Path, helm: Run) -> None:
    plan = PLANS["two-shared"]
    flags = [
        "--set",
        "services.batch.replicas=3",
        "--set",
        "services.chat.image=other:2",
        "--set",
        "routing.type=none",
    ]
    done = template(helm, plan, write(plan, tmp_path), *flags)
    have, before = rendered(done.stdout), manifests(plan)
    assert have["Deployment", "llm-batch"]["spec"]["strategy"]["type"] == "RollingUpdate"
    assert not any(kind in ("HTTPRoute", "Gateway") for kind, _ in have)
    jobs = {name for kind, name in have if kind == "Job"} - {name for kind, name in before if kind == "Job"}
    assert len(jobs) == 1, "another image is another Job, for its template is immutable"


def test_the_smoke_test_sends_the_key_and_runs_under_the_same_rules(tmp_path: Path, helm: Run) -> None:
    plan = PLANS["root"]
    done = template(helm, plan, write(plan, tmp_path))
    pods = {
        name: item["spec"]
        for (kind, name), item in by_name(yaml.safe_load_all(done.stdout)).items()
        if kind == "Pod"
    }
    assert sorted(pods) == ["llm-chat-smoke", "llm-root-smoke"]
    container = pods["llm-chat-smoke"]["containers"][0]
    env = {item["name"]: item for item in container["env"]}
    assert env["API_KEY"]["valueFrom"]["secretKeyRef"] == {"name": "llm-api-key", "key": "key"}
    assert env["ENGINE"]["value"] == "http://llm-chat:8000"
    assert pods["llm-chat-smoke"]["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_helm_says_what_to_do_next(tmp_path: Path, helm: Run) -> None:
    chart = write(PLANS["one"], tmp_path)
    done = helm("install", "llm", str(chart), "-n", "llm", "--dry-run=client")
    assert done.returncode == 0, done.stderr
    assert "port-forward service/llm-chat 8000" in done.stdout

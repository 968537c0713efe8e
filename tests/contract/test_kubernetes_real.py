"""Real tools judge the manifests: the API's own schemas of three releases, and kubectl."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import upstream
from support.kube_plans import NASTY, ROUTE, TABLE, kubernetes, plans
from support.kube_plans import plan as make_plan
from support.tools import Run, runner, tool

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


@contextmanager
def as_the_controller_renders(ingress: dict[str, Any], home: Path) -> Iterator[int]:
    """nginx as ingress-nginx configures it (rootfs/etc/nginx/template/nginx.tmpl), in front of an engine."""
    target = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/rewrite-target"]
    paths = [path["path"] for path in ingress["spec"]["rules"][0]["http"]["paths"]]
    with upstream.engine("chat") as engine:
        port = upstream.free_port()
        locations = "".join(
            f'location ~* "^{path}" {{ rewrite "(?i){path}" {target} break; '
            f"proxy_pass http://127.0.0.1:{engine}; }}\n"
            for path in sorted(paths, key=len, reverse=True)
        )
        server = f"server {{ listen 127.0.0.1:{port};\n{locations}location / {{ return 404; }} }}"
        (home / "nginx.conf").write_text(f"pid nginx.pid; events {{}} http {{ access_log off; {server} }}")
        command = [tool("nginx"), "-p", home, "-e", "stderr", "-c", home / "nginx.conf", "-g", "daemon off;"]
        process = subprocess.Popen(command)
        try:
            yield port
        finally:
            process.terminate()
            process.wait(10)


def ask(port: int, path: str) -> str | None:
    for _ in range(100):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", path)
            break
        except ConnectionRefusedError:
            time.sleep(0.02)
    answer = connection.getresponse()
    body = answer.read()
    return json.loads(body)["path"] if answer.status == 200 else None


@pytest.mark.needs("nginx")
def test_nginx_lets_through_what_the_ingress_lists(tmp_path: Path) -> None:
    made = make_plan(routes=(ROUTE,), options=kubernetes(routing="ingress"))
    (ingress,) = (item for item in write(made, tmp_path) if item["kind"] == "Ingress")
    with as_the_controller_renders(ingress, tmp_path) as port:
        assert {path: ask(port, path) for path in TABLE} == TABLE
        # Dots and their encoding lead nowhere else.
        assert ask(port, "/a.b/v1/%2e%2e/metrics") is None
        assert ask(port, "/a.b/v1/models?a=b%20c") == "/v1/models?a=b%20c"

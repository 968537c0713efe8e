"""Every example compiles in silence, to what was last agreed on, and its users' tools accept all of it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from support import readback, specs
from support.tools import runner

from llmdeploy import resources
from llmdeploy.cli import cli
from llmdeploy.compiler import Result
from llmdeploy.diagnostics import Severity
from llmdeploy.emit.schemas import schema_errors
from llmdeploy.plan.model import Plan

HEADER = "# yaml-language-server: $schema=../../schemas/llm.schema.json\n"
RELEASES = ("1.31", "1.34", "1.37")
# Kinds that are judged by the vendored schemas of their CRDs, for kubernetes-validate knows the core only.
CRDS = {"Gateway", "HTTPRoute"}
EXAMPLES = specs.examples()
CLUSTERED = [name for name in EXAMPLES if "kubernetes" in specs.targets_of(name)]


@dataclass(frozen=True)
class Emitted:
    plan: Plan
    folder: Path
    texts: dict[str, str]

    def files(self, pattern: str) -> list[Path]:
        return sorted(self.folder.glob(pattern))


def routed(example: str, routing: str) -> Result:
    """The example with the routing given instead of its own."""
    data = specs.data_of(example)
    targets = {target: {} for target in specs.targets_of(example)} | data.get("targets", {})
    kubernetes = {key: value for key, value in targets["kubernetes"].items() if key != "gateway"}
    targets["kubernetes"] = {**kubernetes, "routing": routing}
    return specs.compile_example(example, {**data, "targets": targets})


@pytest.fixture(scope="module")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Emitted]:
    """Every example in both routings, so that most tools are started once for all."""
    found = {}
    results = {(example, "gateway-api"): specs.compile_example(example) for example in EXAMPLES}
    results |= {(example, "ingress"): routed(example, "ingress") for example in CLUSTERED}
    for key, result in results.items():
        built = specs.written(result, tmp_path_factory.mktemp("-".join(key)))
        texts = {artifact.path: artifact.text for artifact in result.artifacts}
        found[key] = Emitted(built.plan, built.folder, texts)
    return found


@pytest.mark.parametrize("example", EXAMPLES)
def test_nothing_is_said(example):
    result = specs.compile_example(example)
    assert [found for found in result.diagnostics if found.severity is not Severity.NOTE] == []


@pytest.mark.parametrize("example", CLUSTERED)
def test_only_the_retired_controller_is_said_of_an_ingress(example):
    said = [
        {found.code for found in routed(example, each).diagnostics} for each in ("ingress", "gateway-api")
    ]
    assert said[0] - said[1] == {"LD506"}


@pytest.mark.parametrize("example", EXAMPLES)
def test_golden(example, emitted, golden):
    """All that is emitted but the chart's templates, which are the same files for everybody."""
    texts = {
        path: text for path, text in emitted[example, "gateway-api"].texts.items() if not static(path, text)
    }
    golden(f"{example}/gateway-api", texts)


@pytest.mark.parametrize("example", CLUSTERED)
def test_golden_of_an_ingress(example, emitted, golden):
    """The manifests that differ from the other routing's."""
    other, texts = emitted[example, "gateway-api"].texts, emitted[example, "ingress"].texts
    changed = {
        path: text
        for path, text in texts.items()
        if path.startswith("kubernetes/") and other.get(path) != text
    }
    golden(f"{example}/ingress", changed)


def static(path: str, text: str) -> bool:
    target, _, below = path.partition("/")
    if target != "helm":
        return False
    try:
        return resources.read_text(f"templates/helm/{below.partition('/')[2]}") == text
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("example", EXAMPLES)
def test_editors_accept_it(example):
    text = (specs.EXAMPLES / example / "llm.yaml").read_text(encoding="utf-8")
    assert text.startswith(HEADER)
    schema = json.loads(resources.read_text("schemas/llm.schema.json"))
    jsonschema.validate(yaml.safe_load(text), schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("example", EXAMPLES)
def test_has_a_readme(example):
    assert (specs.EXAMPLES / example / "README.md").read_text(encoding="utf-8").startswith("# ")


AUTO = (specs.EXAMPLES / "09-auto" / "README.md").read_text(encoding="utf-8")


def test_what_the_readme_of_open_engines_shows_is_what_plan_says():
    blocks = re.findall(r"^```console\n\$ llmdeploy (.*)\n((?s:.*?))^```$", AUTO, re.MULTILINE)
    assert len(blocks) == 2
    for command, lines in blocks:
        *options, spec = command.split()
        said = CliRunner().invoke(cli, [*options, str(specs.EXAMPLES.parent / spec)]).output
        for line in lines.splitlines():
            assert line.removesuffix(" …") in said, line


@pytest.mark.parametrize(("column", "policy"), [(2, "course"), (3, "maintained")])
def test_the_engines_that_it_lists_are_those_of_each_policy(column, policy):
    rows = [
        [cell.strip(" `") for cell in line.split("|")[1:-1]] for line in AUTO.splitlines() if line[:1] == "|"
    ]
    plan = specs.compiled(specs.data_of("09-auto"), ["docker"], emit=False, policy=policy).plan
    engines = {service.name: service.engine for service in plan.services}
    assert {row[0]: row[column] for row in rows[2:]} == engines


@pytest.mark.needs("shellcheck")
def test_shellcheck(emitted, shellcheck):
    scripts = [path for each in emitted.values() for path in each.files("docker/*.sh")]
    assert len(scripts) >= 3 * len(EXAMPLES)
    accepted(shellcheck("-S", "style", *scripts))


@pytest.mark.needs("docker-compose")
def test_compose(emitted, compose):
    for each in emitted.values():
        (file,) = each.files("compose/compose.yaml")
        secrets = {secret.env: "x" for secret in each.plan.secrets if secret.env}
        done = compose("-f", file, "config", "-q", env=secrets)
        accepted(done)
        assert not done.stderr, "a warning"


@pytest.mark.needs("nginx")
def test_nginx(emitted, nginx, tmp_path):
    for each in emitted.values():
        for file in each.files("*/gateway/nginx.conf"):
            accepted(nginx("-t", "-q", "-p", tmp_path, "-c", file))


@pytest.mark.needs("helm")
def test_helm(emitted, helm):
    charts = [path.parent for each in emitted.values() for path in each.files("helm/*/Chart.yaml")]
    assert len(charts) == 2 * len(CLUSTERED)
    for version in RELEASES:
        accepted(helm("lint", "--strict", "--quiet", "--kube-version", f"{version}.0", *charts))
    for chart in charts:
        accepted(helm("template", chart.name, chart))


@pytest.mark.needs("hadolint")
def test_dockerfiles(emitted):
    files = [path for each in emitted.values() for path in each.files("**/Dockerfile")]
    assert files
    accepted(runner("hadolint")(*files))


def manifests(emitted: dict[tuple[str, str], Emitted]) -> Iterator[tuple[str, dict[str, Any]]]:
    for (example, routing), each in emitted.items():
        for file in each.files("kubernetes/*.yaml"):
            if file.name != "kustomization.yaml":
                for document in readback.documents(file.read_text(encoding="utf-8")):
                    yield f"{example}-{routing}-{file.name}", document


def test_kubernetes(emitted, tmp_path):
    """Of three releases. An object that it has no schema for would only be warned of, and unchecked."""
    for name, document in manifests(emitted):
        if document["kind"] not in CRDS:
            with (tmp_path / name).open("a") as file:
                file.write("---\n" + json.dumps(document) + "\n")
    validate = runner("kubernetes-validate")
    releases = [word for release in RELEASES for word in ("-k", release)]
    done = validate("--strict", *releases, *sorted(tmp_path.iterdir()), timeout=300)
    accepted(done)
    assert "WARN" not in done.stdout


def test_vendored_schemas(emitted):
    seen = set()
    for name, document in manifests(emitted):
        seen.add(document["kind"])
        assert schema_errors("kubernetes", document) == [], name
    assert seen >= CRDS | {"Ingress", "Job", "Deployment", "PersistentVolumeClaim", "NetworkPolicy"}


def accepted(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr

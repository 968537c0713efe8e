"""The target `helm`: the chart's two generated files, and where its findings point."""

from __future__ import annotations

import yaml
from msgspec.structs import replace
from support.kube_plans import kubernetes, plan, plans

from llmdeploy.emit.yaml import dump
from llmdeploy.targets.helm import TARGET
from llmdeploy.targets.kubernetes.values import values


def files(name: str) -> dict[str, str]:
    return {artifact.path: artifact.text for artifact in TARGET.emit(plans()[name])}


def test_values_are_the_lowering_and_its_comments() -> None:
    for name, made in plans().items():
        text = files(name)["helm/llm/values.yaml"]
        assert yaml.safe_load(text) == yaml.safe_load(dump(values(made, made.options["helm"])))
        assert text.startswith("# Made by llmdeploy")


def test_the_app_version_is_that_of_the_values() -> None:
    charts = {name: yaml.safe_load(files(name)["helm/llm/Chart.yaml"]) for name in ("one", "root")}
    assert charts["one"]["appVersion"] != charts["root"]["appVersion"]
    assert isinstance(charts["one"]["appVersion"], str)


def test_the_chart_knows_no_engine() -> None:
    static = [
        text.lower() for path, text in files("one").items() if "/templates/" in path or "schema" in path
    ]
    assert not any(name in text for text in static for name in ("vllm", "sglang", "tgi", "openllm"))


def test_findings_point_at_the_section_that_states_the_option() -> None:
    inherited = plan(options=kubernetes(routing="ingress"))
    assert [finding.path for finding in TARGET.check(inherited)] == [("targets", "kubernetes", "routing")]
    options = {"kubernetes": kubernetes(), "helm": kubernetes(routing="ingress")}
    stated = replace(inherited, options=options)
    assert [finding.path for finding in TARGET.check(stated)] == [("targets", "helm", "routing")]


def test_the_wait_outlasts_the_slowest_rollout() -> None:
    (step,) = [step.command for step in TARGET.guide(plan()).apply if "upgrade" in step.command]
    assert "--rollback-on-failure --wait --timeout 105m" in step

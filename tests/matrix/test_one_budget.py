"""One budget: what each target says of a model's start is made from the plan's two limits."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from support import readback, specs

from llmdeploy.targets.kubernetes import guide
from llmdeploy.targets.kubernetes.download import JOB_DEADLINE_S
from llmdeploy.targets.kubernetes.service_values import ROLLOUT_S

ENGINES = ("vllm-0.33.0", "sglang", "tgi")
LARGE = "deepseek-ai/DeepSeek-V3"


def data(engine: str, *features: str, **model: Any) -> dict[str, Any]:
    made = specs.spec(engine, "four", *features)
    made["models"]["chat"].update(model)
    return made


def deployment(objects: list[dict[str, Any]]) -> dict[str, Any]:
    (spec,) = (each["spec"] for each in objects if each["kind"] == "Deployment")
    found: dict[str, Any] = spec
    return found


@pytest.mark.parametrize("stated", [None, "50m"])
@pytest.mark.parametrize("engine", ENGINES)
def test_every_target_waits_as_long(engine, stated, tmp_path):
    made = data(engine, source="meta-llama/Llama-3.3-70B-Instruct")
    if stated:
        made["models"]["chat"]["ready_timeout"] = stated
    plan = specs.build(made, tmp_path).plan
    (service,) = plan.services
    ready, fetch = service.ready_timeout_s, service.startup.fetch_limit_s
    assert ready == 3000 if stated else ready != 1800

    script = (tmp_path / "docker/up.sh").read_text()
    assert f"--health-start-period {ready}s" in script
    assert re.search(rf"^ *wait_healthy \S+-chat {ready + 60}$", script, re.MULTILINE)

    compose = yaml.safe_load((tmp_path / "compose/compose.yaml").read_text())
    assert compose["services"]["chat"]["healthcheck"]["start_period"] == f"{ready}s"

    namespace = ("--namespace", plan.name)
    chart = readback.rendered(plan, tmp_path / "helm" / plan.name, *namespace)
    for objects in (readback.kustomized(tmp_path / "kubernetes"), chart):
        spec = deployment(objects)
        probe = spec["template"]["spec"]["containers"][0]["startupProbe"]
        assert probe["failureThreshold"] * probe["periodSeconds"] == ready
        assert spec["progressDeadlineSeconds"] == ready + ROLLOUT_S + fetch

    if engine.startswith("vllm"):
        assert service.launch.env["VLLM_ENGINE_READY_TIMEOUT_S"] == str(ready)


def test_tools_wait_longer_than_the_rollout(tmp_path):
    plan = specs.build(data("vllm-0.33.0"), tmp_path).plan
    service, options = plan.services[0], plan.options["kubernetes"]
    deadline = service.ready_timeout_s + ROLLOUT_S + service.startup.fetch_limit_s
    assert guide.waits(plan, options)["chat"] * 60 > deadline
    assert guide.budget_minutes(plan, options) == guide.waits(plan, options)["chat"]


@pytest.mark.parametrize(("source", "longer"), [("Qwen/Qwen2.5-7B-Instruct", False), (LARGE, True)])
def test_a_download_is_not_ended_before_the_rollout_that_waits_for_it(source, longer, tmp_path):
    made = data("vllm-0.33.0", "shared-cache", source=source, gpus=8 if longer else 4)
    made["gpus"]["pool"]["type"] = "h200-sxm-141gb"
    plan = specs.build(made, tmp_path).plan
    chart = readback.rendered(plan, tmp_path / "helm" / plan.name, "--namespace", plan.name)
    for objects in (readback.kustomized(tmp_path / "kubernetes"), chart):
        (job,) = (each["spec"] for each in objects if each["kind"] == "Job")
        deadline = deployment(objects)["progressDeadlineSeconds"]
        assert job["activeDeadlineSeconds"] == max(JOB_DEADLINE_S, deadline)
        assert (deadline > JOB_DEADLINE_S) is longer

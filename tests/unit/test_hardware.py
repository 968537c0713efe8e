"""What a pool of llm.yaml is as hardware."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from llmdeploy import compile

H100 = {"type": "h100-sxm-80gb", "count": 1}


def planned(pool: dict[str, Any], **model: Any) -> Any:
    spec = {
        "version": 1,
        "name": "demo",
        "gpus": {"g": pool},
        "models": {"chat": {"source": "Qwen/Qwen3-8B", "context": 4096, **model}},
        "targets": {"kubernetes": {}},
    }
    result = compile(yaml.safe_dump(spec), ["kubernetes"], emit=False)
    assert result.plan is not None
    return result.plan.services[0]


@pytest.mark.parametrize(
    ("profile", "gib"), [("1g.10gb", 9.5), ("2g.20gb", 19.0), ("3g.40gb", 38.0), ("1g.10gb.me", 9.5)]
)
def test_a_slice_has_the_memory_of_its_profile_and_not_that_of_the_whole_card(
    profile: str, gib: float
) -> None:
    service = planned({**H100, "resource": f"nvidia.com/mig-{profile}"})
    assert service.gpus.memory_gib == pytest.approx(gib)


def test_what_is_stated_of_a_slice_is_believed() -> None:
    pool = {**H100, "resource": "nvidia.com/mig-1g.10gb", "memory": "9.75GiB"}
    assert planned(pool).gpus.memory_gib == 9.75


def test_of_a_slice_that_is_named_by_its_number_nothing_is_known() -> None:
    service = planned({**H100, "devices": ["MIG-4f2c1f62-0000-0000-0000-000000000000"]})
    assert service.gpus.memory_gib is None and service.memory is None


@pytest.mark.parametrize(
    ("engine", "flag"), [("vllm", "--gpu-memory-utilization"), ("sglang", "--mem-fraction-static")]
)
def test_a_machine_that_shares_its_memory_with_the_gpu_keeps_a_part(engine: str, flag: str) -> None:
    """101.3 of GB10's 121.69 GiB were seen free before anything starts, and vLLM's own 0.92 is 112."""
    argv = planned({"type": "gb10", "count": 1}, engine=engine).launch.argv
    assert float(argv[argv.index(flag) + 1]) <= 0.8
    own = planned({"type": "gb10", "count": 1}, engine=engine, memory_fraction=0.5).launch.argv
    assert float(own[own.index(flag) + 1]) <= 0.5


def test_a_gpu_with_memory_of_its_own_has_the_engines_share() -> None:
    argv = planned(H100).launch.argv
    assert argv[argv.index("--gpu-memory-utilization") + 1] == "0.92"

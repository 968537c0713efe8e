"""What a pool of llm.yaml is as hardware."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from llmdeploy import compile

H100 = {"type": "h100-sxm-80gb", "count": 1}


def planned(pool: dict[str, Any]) -> Any:
    spec = {
        "version": 1,
        "name": "demo",
        "gpus": {"g": pool},
        "models": {"chat": {"source": "Qwen/Qwen3-8B", "context": 4096}},
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

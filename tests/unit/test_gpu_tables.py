"""docs/gpu.md says what was measured, and the ledger of today meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
GPU = ROOT / "scripts" / "gpu"
PAGE = (ROOT / "docs" / "gpu.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def table() -> ModuleType:
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("gpu_table", GPU / "table.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["boots", "throughput", "commands"])
def test_the_page_has_the_tables_of_what_was_measured(table: ModuleType, name: str) -> None:
    assert "\n".join(getattr(table, name)()) in PAGE


def test_the_ledger_of_today_is_within_the_bounds_of_what_gpus_printed() -> None:
    argv = (sys.executable, ROOT / "scripts/accuracy", "--points", GPU / "measured.jsonl", "--format", "json")
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    rows = json.loads(done.stdout)["rows"]
    assert len(rows) >= 12 and sum(row["fit"] is False for row in rows) >= 2
    assert all((row["verdict"] == "NO") == (row["fit"] is False) for row in rows)
    off = [
        abs(row["kv_tokens_predicted"] / row["kv_tokens_observed"] - 1)
        for row in rows
        if row["kv_tokens_observed"]
    ]
    assert median(off) <= 0.03 and max(off) <= 0.08


def test_every_boot_says_what_it_ran_on() -> None:
    for line in (GPU / "measured.jsonl").read_text(encoding="utf-8").splitlines():
        source = json.loads(line)["point"]["src"]
        assert source.startswith("measured here: NVIDIA") and "torch" in source and "vLLM" in source


def test_the_compiled_command_serves_at_least_what_the_defaults_do() -> None:
    ways: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in (GPU / "throughput.jsonl").read_text(encoding="utf-8").splitlines():
        ways[json.loads(line)["way"]].append(json.loads(line))
    assert len({tuple(turn["round"] for turn in turns) for turns in ways.values()}) == 1
    assert all(len(turns) >= 3 and not any(turn["failed"] for turn in turns) for turns in ways.values())
    rate = {way: median(turn["total_token_throughput"] for turn in turns) for way, turns in ways.items()}
    assert rate["llmdeploy"] >= rate["vLLM's defaults"]

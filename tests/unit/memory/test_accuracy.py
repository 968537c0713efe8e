"""The ledger against recorded start-ups: `make accuracy`, held to its bounds."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ACCURACY = ROOT / "scripts" / "accuracy"
POINTS = [json.loads(line) for line in (ACCURACY / "memory_points.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    argv = [sys.executable, str(ACCURACY), "--format", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def scored(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in found["rows"] if row["all_stated"] and row["in_catalog"]]


def test_every_point_has_one_row_with_the_agreed_fields(found: dict[str, Any]) -> None:
    assert [row["id"] for row in found["rows"]] == [point["id"] for point in POINTS]
    agreed = {"id", "verdict", "fit", "why_unknown"} | {
        f"{what}_{how}"
        for what in ("kv_tokens", "kv_gib", "weights_gib")
        for how in ("predicted", "observed")
    }
    assert all(agreed <= set(row) for row in found["rows"])


def test_weights(found: dict[str, Any]) -> None:
    said = found["summary"]["weights"]
    assert said["rows"] > 60 and said["median"] <= 0.5 and said["p90"] <= 3


def test_tokens_of_vllm(found: dict[str, Any]) -> None:
    said = found["summary"]["kv_tokens_vllm_since_0_8"]
    assert said["rows"] > 50 and said["median"] <= 1 and said["p90"] <= 5


def test_tokens_where_no_constant_was_calibrated(found: dict[str, Any]) -> None:
    said = found["summary"]["by_calibration"]["others"]["kv_tokens"]
    assert said["rows"] >= 10 and said["median"] <= 8


def test_what_is_said_to_fit_fits(found: dict[str, Any]) -> None:
    said = found["summary"]["fits"]
    judged = said["right_fits"] + said["right_no"] + said["false_fits"] + said["false_no"]
    assert said["false_fits"] == 0
    assert said["right_fits"] + said["right_no"] >= 0.97 * judged
    assert said["tight"] <= 0.1 * judged
    assert said["unknown"] <= 0.1 * (judged + said["unknown"])


def test_unknown_is_for_want_of_an_architecture_or_of_facts(found: dict[str, Any]) -> None:
    rules = {row["why_unknown"].split(":")[0] for row in found["rows"] if row["why_unknown"]}
    assert rules <= {"architecture", "quantization", "model", "card", "tp"}


def test_every_larger_miss_is_explained(found: dict[str, Any]) -> None:
    missed = {
        row["id"]
        for row in scored(found)
        if row["kv_tokens_predicted"]
        and row["kv_tokens_observed"]
        and abs(row["kv_tokens_predicted"] / row["kv_tokens_observed"] - 1) > 0.08
    }
    assert missed <= {row["id"] for row in found["rows"] if row["explained"]}


def test_explanations_and_aliases_are_of_use() -> None:
    """One for a point that is not there would be forgotten."""
    explained = yaml.safe_load((ACCURACY / "explained.yaml").read_text())["explained"]
    assert {row["id"] for row in explained} <= {point["id"] for point in POINTS}
    models = yaml.safe_load((ACCURACY / "models.yaml").read_text())
    assert all(row["reason"] for row in models["aliases"])


def test_points_are_quoted_and_sourced() -> None:
    assert all(point["src"] and point.get("quote") for point in POINTS)


@pytest.mark.parametrize(
    "identity", [point["id"] for point in POINTS if "accuracy/results/v0.19.0" in point["src"]]
)
def test_a_run_of_the_sweep_is_met(found: dict[str, Any], identity: int) -> None:
    (row,) = (row for row in found["rows"] if row["id"] == identity)
    for name, off in (("kv_tokens", 0.01), ("kv_gib", 0.015), ("weights_gib", 0.015)):
        if row[f"{name}_observed"] and row["verdict"] != "NO":
            assert row[f"{name}_predicted"] == pytest.approx(row[f"{name}_observed"], rel=off)


def test_points_of_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "points.jsonl"
    path.write_text(json.dumps(POINTS[2]) + "\n")
    argv = [sys.executable, str(ACCURACY), "--points", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("  id model")
    assert "meta-llama/Llama-3.1-8B-Instruct" in done.stdout

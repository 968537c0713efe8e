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


def run(path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, str(ACCURACY), "--points", str(path), *more]
    return subprocess.run(argv, capture_output=True, text=True)


GOOD: dict[str, Any] = POINTS[2]
BAD: dict[str, tuple[str | bytes | dict[str, Any], str]] = {
    "no JSON": ('{"id": 7, "model"', "Input data was truncated"),
    "words": ("INFO 11-30 weights took 14.99 GiB", "JSON is malformed: invalid character"),
    "no number": ('{"id": 7, "model": "m", "engine": "vllm", "util": NaN}', "JSON is malformed"),
    "no UTF-8": (b'{"id": 7, "model": "\xff", "engine": "vllm"}', "Invalid UTF-8"),
    "a list": ("[1, 2]", "Expected `object`, got `array`"),
    "no id": ({key: value for key, value in GOOD.items() if key != "id"}, "missing required field `id`"),
    "an id of null": ({**GOOD, "id": None}, "id: Expected `int | str`, got `null`"),
    "no model": ({"id": 7, "engine": "vllm"}, "missing required field `model`"),
    "a model of a number": ({**GOOD, "model": 8}, "model: Expected `str`, got `int`"),
    "a version of a number": ({**GOOD, "version": 0.33}, "version: Expected `str | null`, got `float`"),
    "ranks in words": ({**GOOD, "tp": "two"}, "tp: Expected `int | null`, got `str`"),
    "ranks in quotes": ({**GOOD, "tp": "2"}, "tp: Expected `int | null`, got `str`"),
    "no ranks": ({**GOOD, "tp": 0}, "tp: Expected `int` >= 1"),
    "fewer than no ranks": ({**GOOD, "pp": -1}, "pp: Expected `int` >= 1"),
    "true ranks": ({**GOOD, "tp": True}, "tp: Expected `int | null`, got `bool`"),
    "a share in quotes": ({**GOOD, "util": "0.9"}, "util: Expected `float | null`, got `str`"),
    "more than a card": ({**GOOD, "util": 7}, "util: Expected `float` <= 1.0"),
    "observed in quotes": ({**GOOD, "kv_tokens": "31232"}, "kv_tokens: Expected `int | null`, got `str`"),
    "fewer than no tokens": ({**GOOD, "kv_tokens": -16}, "kv_tokens: Expected `int` >= 0"),
    "weights of bytes": ({**GOOD, "weights_gib": 16093919232}, "weights_gib: Expected `float` <= 1000.0"),
    "a fit in words": ({**GOOD, "fit": "yes"}, "fit: Expected `bool | null`, got `str`"),
}


@pytest.fixture(scope="module")
def among_others(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """Every bad line, one after the other, between two good ones."""
    path = tmp_path_factory.mktemp("points") / "points.jsonl"
    lines = [GOOD, *(line for line, _ in BAD.values()), {**GOOD, "id": "last"}]
    texts = (json.dumps(line) if isinstance(line, dict) else line for line in lines)
    path.write_bytes(b"\n".join(text.encode() if isinstance(text, str) else text for text in texts))
    return run(path, "--format", "json")


def test_bad_lines_cost_no_good_one(among_others: subprocess.CompletedProcess[str]) -> None:
    assert among_others.returncode == 0
    assert [row["id"] for row in json.loads(among_others.stdout)["rows"]] == [GOOD["id"], "last"]
    assert len(among_others.stderr.splitlines()) == len(BAD)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_told_by_its_number_and_its_reason(
    among_others: subprocess.CompletedProcess[str], name: str
) -> None:
    number = 2 + list(BAD).index(name)
    (told,) = (line for line in among_others.stderr.splitlines() if f" line {number}: " in line)
    assert BAD[name][1] in told


def test_of_two_points_with_one_id_the_first_counts(tmp_path: Path) -> None:
    path = tmp_path / "points.jsonl"
    path.write_text(json.dumps(GOOD) + "\n\n" + json.dumps({**GOOD, "kv_tokens": 5}) + "\n")
    done = run(path, "--format", "json")
    (row,) = json.loads(done.stdout)["rows"]
    assert row["kv_tokens_observed"] == GOOD["kv_tokens"]
    assert done.returncode == 0 and f"line 3: id {GOOD['id']} is that of line 1, which counts" in done.stderr


def test_a_whole_number_with_a_point_is_whole(tmp_path: Path) -> None:
    """What a table of numbers makes of a column in which some are missing."""
    path = tmp_path / "points.jsonl"
    path.write_text(json.dumps({**GOOD, "tp": 1.0, "kv_tokens": 31232.0}))
    done = run(path, "--format", "json")
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["kv_tokens_observed"], row["verdict"], done.stderr) == (31232, "FITS", "")


@pytest.mark.parametrize("content", ["", "\n", "not a point\n"], ids=["empty", "blank", "words"])
def test_a_file_without_a_point_gives_no_table(tmp_path: Path, content: str) -> None:
    path = tmp_path / "points.jsonl"
    path.write_text(content)
    done = run(path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("no line of it is a point\n")


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_what_is_no_file_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    done = run(tmp_path / name)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1 and "cannot be read" in done.stderr


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"engine": "llama.cpp"}, "engine: `llama.cpp` is none that llmdeploy knows"),
        ({"model": "nobody/nothing"}, "model: `nobody/nothing` is not in the catalog"),
    ],
)
def test_what_is_not_known_is_a_row_and_no_bad_line(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    path = tmp_path / "points.jsonl"
    path.write_text(json.dumps({**GOOD, **change}))
    done = run(path, "--format", "json")
    (row,) = json.loads(done.stdout)["rows"]
    assert (done.returncode, done.stderr) == (0, "")
    assert (row["verdict"], row["why_unknown"], row["kv_tokens_predicted"]) == ("UNKNOWN", why, None)


def test_explanations_are_of_our_own_points(found: dict[str, Any], tmp_path: Path) -> None:
    """A number means another point in another file."""
    (explained, *_) = (row["id"] for row in found["rows"] if row["explained"])
    path = tmp_path / "points.jsonl"
    path.write_text(json.dumps({**GOOD, "id": explained}))
    (row,) = json.loads(run(path, "--format", "json").stdout)["rows"]
    assert row["explained"] is None


def test_the_table_says_of_what_its_errors_are(tmp_path: Path) -> None:
    path = tmp_path / "points.jsonl"
    without = {key: value for key, value in GOOD.items() if key != "kv_tokens"}
    weights = {key: value for key, value in without.items() if key != "kv_gib"}
    rows = (GOOD, {**without, "id": "cache"}, {**weights, "id": "weights"})
    path.write_text("\n".join(map(json.dumps, rows)))
    head, *lines = run(path).stdout.splitlines()
    assert head.endswith("error  of")
    assert [line.split("%")[1].strip() for line in lines[:3]] == ["KV tokens", "KV GiB", "weights GiB"]


def test_the_table_has_no_braces(tmp_path: Path) -> None:
    """A dict's own text is for programs."""
    path = tmp_path / "points.jsonl"
    path.write_text(json.dumps(GOOD))
    table = run(path).stdout
    assert "hf-mem, KV GiB" in table and "{" not in table

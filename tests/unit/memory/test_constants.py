"""Constants of the engines' equations: closed, sourced, and found for every release and card."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from llmdeploy.memory.constants import constants

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "schemas" / "memory.schema.json").read_text())
FILES = sorted((ROOT / "llmdeploy" / "engines").glob("*/memory.yaml"))


def test_three_engines_have_an_equation_of_their_own() -> None:
    assert [path.parent.name for path in FILES] == ["sglang", "tgi", "vllm"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_every_row_is_labelled_and_has_a_source_that_is_there(path: Path) -> None:
    data = yaml.safe_load(path.read_text())
    jsonschema.validate(data, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert {row["source"] for row in data["constants"]} == set(data["sources"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_no_row_stands_behind_one_that_holds_wherever_it_does(path: Path) -> None:
    rows = yaml.safe_load(path.read_text())["constants"]
    for index, row in enumerate(rows):
        open_before = [
            earlier
            for earlier in rows[:index]
            if earlier["name"] == row["name"] and not {"since", "until", "where"} & set(earlier)
        ]
        assert not open_before, row


def test_the_first_row_that_holds_is_taken() -> None:
    table = constants(
        {
            "newest": "2.0",
            "sources": {"here": "a source"},
            "constants": [
                {"name": "x", "value": 1, "label": "S", "source": "here", "until": "1.0"},
                {"name": "x", "value": 2, "label": "S", "source": "here", "where": ["many"]},
                {"name": "x", "value": 3, "label": "S", "source": "here"},
            ],
        }
    )
    assert table.value("x", "0.9", ["many"]) == 1
    assert table.value("x", "1.0", ["many"]) == 2
    assert table.value("x", None) == 3
    with pytest.raises(LookupError, match="no constant `y`"):
        table.value("y", "1.0")

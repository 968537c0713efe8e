"""The published JSON Schema: current, valid, and of one mind with the parser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from llmdeploy.source import read
from llmdeploy.spec.parse import parse
from llmdeploy.spec.schema import json_schema, json_schema_text

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(ROOT.glob("examples/*/llm.yaml"))
VALIDATOR = Draft202012Validator(json_schema())
LEAST = "version: 1\nname: x\ngpus: {p: {type: l4, count: 1}}\nmodels:\n  m:\n    source: a/b\n"


def test_the_published_file_is_current() -> None:
    """Run `python -m llmdeploy.spec.schema > schemas/llm.schema.json` where this fails."""
    published = ROOT / "schemas" / "llm.schema.json"
    assert published.read_text(encoding="utf-8") == json_schema_text()


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_every_example_validates(path: Path) -> None:
    source, problems = read(path.read_text(encoding="utf-8"))
    assert not problems
    assert [error.message for error in VALIDATOR.iter_errors(source.data)] == []
    assert parse(source)[1] == []


def _nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _nodes(item)


def test_no_null_is_legal() -> None:
    assert not [node for node in _nodes(json_schema()) if node.get("type") == "null" or None in node.values()]


def test_every_mapping_is_closed_or_holds_free_json() -> None:
    for node in _nodes(json_schema()):
        if node.get("type") == "object":
            assert "additionalProperties" in node


def test_every_key_of_a_model_is_described() -> None:
    model = json_schema()["$defs"]["Model"]["properties"]
    assert [key for key, node in model.items() if not node.get("description")] == []


@pytest.mark.parametrize(
    "line",
    [
        "    dtyp: auto",
        "    dtype: bf16",
        "    context: many",
        "    gpus: 0",
        "    gpus: [1]",
        "    engine:",
        "    revision: true",
        "    ready_timeout: 20",
        "    served_names: []",
        "    env: {A B: x}",
        "  B_: {source: a/b}",
        "  b: {source: {}}",
        "routes: [{path: x, model: m}]",
        "routes: [{path: /x}]",
        "secrets: {hf: literal}",
        "storage: {cache: {size: 4GB}}",
    ],
)
def test_the_schema_and_the_parser_refuse_alike(line: str) -> None:
    source, _ = read(LEAST + line + "\n")
    assert not VALIDATOR.is_valid(source.data)
    assert parse(source)[1]


@pytest.mark.parametrize(
    "line",
    ["    revision: 12e5", "    gpus: 4", "    source2: x", "    env: {A: 1}", "    engine_args: {a: ~}"],
)
def test_the_schema_and_the_parser_accept_alike(line: str) -> None:
    source, _ = read(LEAST + line + "\n")
    assert VALIDATOR.is_valid(source.data) == (not parse(source)[1])

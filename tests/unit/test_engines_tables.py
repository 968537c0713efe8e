"""Every engine's table: closed, sourced, an effect for each row, a refusal for each owned spelling."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from support.settings import ENGINES, HERE, RICH, settings

from llmdeploy.engines.table import Setting, field_of

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "llmdeploy" / "engines"
SCHEMA = json.loads((ROOT / "schemas" / "engine.schema.json").read_text())

ROWS = [(name, row) for name, engine in ENGINES.items() for row in engine.table.settings.values()]
OWNED_FLAGS = [(name, flag) for name, engine in ENGINES.items() for flag in engine.table.owned_flags]
OWNED_ENV = [(name, variable) for name, engine in ENGINES.items() for variable in engine.table.owned_env]
#: What is not in RICH, or not among the values that the engine takes.
VALUES = {"kv_bytes": 1 << 30, "kv_tokens": 8192, ("tgi", "dtype"): "float16", "grammar_backend": "outlines"}
#: What an engine does without being told.
SILENT = [(e, row) for e, row in ROWS if row.flag is None and row.env is None and row.kind != "own"]


def raw(engine):
    return yaml.safe_load((FOLDER / engine / "engine.yaml").read_text())


def codes(lowered):
    return [found.code for found in lowered.diagnostics]


@pytest.mark.parametrize("engine", ENGINES)
def test_table_fits_its_schema(engine):
    jsonschema.Draft202012Validator(SCHEMA).validate(raw(engine))


def test_schema_is_closed():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    broken = {**raw("vllm"), "settigns": {}}
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(broken)


def test_what_engines_share_fits_the_schema_too():
    owned = {**SCHEMA, "$ref": "#/$defs/owned", "type": "array"}
    for key in ("required", "properties", "additionalProperties"):
        owned.pop(key)
    jsonschema.Draft202012Validator(owned).validate(
        yaml.safe_load((FOLDER / "common.yaml").read_text())["owned"]
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_every_source_is_cited(engine):
    table = raw(engine)
    cited = {row["source"] for row in (*table["settings"].values(), *table["limits"])}
    assert cited <= set(table["sources"])


@pytest.mark.parametrize(("engine", "row"), SILENT, ids=[f"{e}-{row.name}" for e, row in SILENT])
def test_what_need_not_be_said_has_one_value_and_is_explained(engine, row):
    (value,) = row.values
    lowered = ENGINES[engine].lower(settings(engine, {row.name: value}))
    plain = ENGINES[engine].lower(settings(engine))
    assert (lowered.launch, lowered.diagnostics) == (plain.launch, plain.diagnostics)
    assert [(why.setting, why.value) for why in lowered.why] == [(field_of(row.name), value)]


@pytest.mark.parametrize(
    ("engine", "row"),
    [pytest.param(*each, id=f"{each[0]}-{each[1].name}") for each in ROWS if each not in SILENT],
)
def test_every_setting_has_an_effect(engine, row):
    """Set alone, a row changes the command line or the environment."""
    value = VALUES.get((engine, row.name), VALUES.get(row.name, RICH.get(row.name)))
    vendor = row.vendors[0]
    changed = ENGINES[engine].lower(settings(engine, {row.name: value}, vendor=vendor)).launch
    plain = ENGINES[engine].lower(settings(engine, vendor=vendor)).launch
    assert (changed.argv, changed.env) != (plain.argv, plain.env)


@pytest.mark.parametrize("engine", ENGINES)
def test_missing_setting_is_a_finding_where_it_is_stated(engine):
    known = set(ENGINES[engine].table.settings)
    for name in set(RICH) - known - {"revision"}:
        path = (*HERE, *field_of(name).split("."))
        found = ENGINES[engine].lower(settings(engine, {name: RICH[name]}, origins={name: path})).diagnostics
        assert [f.path for f in found if f.code in ("LD307", "LD507", "LD508", "LD525")] == [path]


@pytest.mark.parametrize(("engine", "row"), [(e, row) for e, row in ROWS if row.values])
def test_values_are_a_closed_set(engine, row):
    found = ENGINES[engine].lower(settings(engine, {row.name: "nonsense"})).diagnostics
    assert [f.path for f in found if f.code == "LD309"] == [(*HERE, row.name)]


def test_parallel_size_of_one_needs_no_flag():
    assert "LD307" not in codes(ENGINES["tgi"].lower(settings("tgi", {"pipeline": 1, "data": 1})))


def spellings(flag):
    bare = flag.lstrip("-").removeprefix("no-")
    return {flag, bare, f"--{bare}", bare.replace("-", "_"), f"no-{bare}", f"{bare}.x"}


@pytest.mark.parametrize(("engine", "flag"), OWNED_FLAGS)
def test_owned_flag_is_refused_in_every_spelling(engine, flag):
    for key in spellings(flag):
        lowered = ENGINES[engine].lower(settings(engine, engine_args={key: 1}))
        found = [f for f in lowered.diagnostics if f.code == "LD306"]
        assert [f.path for f in found] == [(*HERE, "engine_args", key)], key
        assert found[0].help


@pytest.mark.parametrize(
    "key", ["tensor-parallel", "max-model", "disable-prefix-caching", "enable_prefix_caching"]
)
def test_abbreviations_and_opposites_are_refused(key):
    assert codes(ENGINES["vllm"].lower(settings("vllm", engine_args={key: 1}))) == ["LD306"]


@pytest.mark.parametrize(("engine", "variable"), OWNED_ENV)
def test_owned_variable_is_refused(engine, variable):
    found = ENGINES[engine].lower(settings(engine, env={variable: "x"})).diagnostics
    assert (*HERE, "env", variable) in [f.path for f in found if f.code == "LD306"]


@pytest.mark.parametrize("engine", ENGINES)
def test_grace_covers_the_drain(engine):
    drain = ENGINES[engine].table.drain
    assert drain.grace_s >= drain.pre_stop_s + drain.drain_s + 15


@pytest.mark.parametrize(
    ("version", "within"), [("0.31.9", False), ("0.32.0", True), ("0.32.5", True), ("0.33.0", False)]
)
def test_flag_belongs_to_a_range_of_versions(version, within):
    row = Setting("context", "somewhere", flag="--x", since="0.32.0", until="0.33.0")
    assert row.in_version(version) is within

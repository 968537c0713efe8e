"""Which flags and variables an engine's ledger knows: closed, sourced, and nothing that sounds like memory forgotten."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import jsonschema
import pytest
import yaml
from support.option_tables import ENGINES, FILES, rows, table

from llmdeploy.catalog.flags import flag_table
from llmdeploy.engines.table import Table
from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.options import Said, Stated

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "schemas" / "options.schema.json").read_text())

TRAITS = {
    *("cpu", "gpu", "nvidia", "amd", "moe", "mxfp4", "windows", "states", "latent", "sees", "quantized"),
    *("generates", "drafts", "adapts", "many", "staged", "copied"),
}
SMELL = re.compile(
    r"""(?x) graph | offload | block | cache | mem(ory)?(-|_|$) | overrid | eager | swap | page | (^|-)swa | kv(-|$)
    | mamba | -gb$ | chunk | capture | sliding | quantiz | buffer | workspace | max-num | max-total | lora | parallel
    | optimization-level | compilation | model-impl"""
)
SMELL_OF_VARIABLES = re.compile(
    r"""(?x) GRAPH | OFFLOAD | BLOCK_ | CACHE | MEM_ | MEMORY | (^|_)KV | (?<!RING)BUFFER | WORKSPACE | CHUNK | PADDING | DEQUANT
    | REPLICATE | PARTITION | _MB$ | _GB$ | SYMM_MEM | PREPACK | V2_MODEL | WIGGLE | PREFILL_ | ^ATTENTION"""
)


def engine_table(engine: str) -> Table:
    found = import_module(f"llmdeploy.engines.{engine}").ENGINE.table
    assert isinstance(found, Table)
    return found


def names(engine: str) -> Iterator[str]:
    """Every flag and variable of every release that is known, as the rows name it."""
    catalog = flag_table(engine)
    assert catalog is not None
    for release in catalog.versions:
        for name, flag in catalog.at(release).items():
            yield flag.env or name.removeprefix("--")
        yield from catalog.registry("env", release)


def decided(engine: str, name: str) -> bool:
    """Whether llmdeploy decides it, so that no llm.yaml can state it."""
    known, catalog = engine_table(engine), flag_table(engine)
    assert catalog is not None
    spellings = {
        f"--{name}",
        *(s for r in catalog.versions if (f := catalog.find(f"--{name}", r)) for s in f.spellings),
    }
    return name in known.owned_env or bool(spellings & set(known.owned_flags))


def test_three_engines_have_a_table() -> None:
    assert ENGINES == ["sglang", "tgi", "vllm"]


@pytest.mark.parametrize("engine", ENGINES)
def test_every_row_has_a_reason_and_a_source_that_is_there(engine: str) -> None:
    data = yaml.safe_load(FILES[engine].read_text())
    jsonschema.validate(data, SCHEMA, cls=jsonschema.Draft202012Validator)
    assert {row["source"] for row in data["options"]} == set(data["sources"])


@pytest.mark.parametrize("engine", ENGINES)
def test_rows_speak_of_what_a_release_has_and_of_traits_that_there_are(engine: str) -> None:
    there = set(names(engine))
    for row in rows(engine):
        assert row.name.partition(".")[0] in there, row
        assert set(row.where) <= TRAITS, row


@pytest.mark.parametrize("engine", ENGINES)
def test_no_row_stands_behind_one_that_holds_wherever_it_does(engine: str) -> None:
    for each in table(engine).rows.values():
        for index, row in enumerate(each):
            assert not any(set(earlier.where) <= set(row.where) for earlier in each[:index]), row


@pytest.mark.parametrize("engine", ENGINES)
def test_no_row_speaks_of_what_llmdeploy_decides(engine: str) -> None:
    assert not [row.name for row in rows(engine) if decided(engine, row.name)]


@pytest.mark.parametrize("engine", ENGINES)
def test_whatever_sounds_like_memory_has_a_row(engine: str) -> None:
    known = {name.partition(".")[0] for name in table(engine).rows}
    smell = {name for name in names(engine) if (SMELL_OF_VARIABLES if name.isupper() else SMELL).search(name)}
    if engine == "sglang":  # 1,200 variables, hundreds of them of caches of files and kernels
        smell = {name for name in smell if not name.isupper()}
    assert not sorted(name for name in smell - known if not decided(engine, name))


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_not_modelled_stops_the_ledger_by_name_and_its_usual_value_does_not(engine: str) -> None:
    known = table(engine)
    for row in rows(engine):
        first = known.of(row.name, row.where)
        if row.effect != "unknown" or first is not row:
            continue
        flag, _, field = row.name.partition(".")
        said = Said({flag: Stated({field: "odd"} if field else "odd")})
        with pytest.raises(UnmodelledError, match=re.escape(f"option: `{row.name}` {row.because}")):
            known.check(said, row.where)
        known.check(Said({flag: Stated("odd", usual=True)}), row.where)
        for value in row.unless:
            known.check(Said({flag: Stated({field: value} if field else value)}), row.where)


def test_a_field_without_a_row_is_judged_by_the_row_of_its_flag() -> None:
    said = Said({"compilation-config": Stated({"cudagraph_mode": "NONE", "new_in_the_next_release": 1})})
    with pytest.raises(UnmodelledError, match=r"`compilation-config\.new_in_the_next_release`"):
        table("vllm").check(said, ())

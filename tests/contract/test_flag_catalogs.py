"""The stored flags are those of the engines' own parsers, asked now."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from support.tools import ROOT, engine_python

sys.path.insert(0, str(ROOT / "scripts/catalogs/flags"))
from engines import RELEASES, dump_installed, installed
from merge import expand, merge, text
from read_source import differences

STORED = ROOT / "llmdeploy/catalog/flags"


def stored(engine: str) -> dict[str, Any]:
    catalog: dict[str, Any] = json.loads((STORED / f"{engine}.json").read_text())
    return catalog


def without_help(dump: Any) -> dict[str, Any]:
    """The wording of an older release is not kept."""
    return {
        "flags": {name: {k: v for k, v in row.items() if k != "help"} for name, row in dump["flags"].items()},
        "registries": dump["registries"],
    }


@pytest.mark.parametrize(
    ("engine", "version", "home", "count"),
    [
        # An independent count of each parser's actions; vLLM's has the model, which is no flag, as well.
        pytest.param("vllm", "0.32.0", "vllm-0.32", 318 - 1, marks=pytest.mark.xdist_group("vllm-0.32")),
        pytest.param("vllm", "0.33.0", "vllm-0.33", 322 - 1, marks=pytest.mark.xdist_group("vllm-0.33")),
        pytest.param(
            "sglang", "0.5.23", "sglang-0.5.23", 532, marks=pytest.mark.xdist_group("sglang-0.5.23")
        ),
    ],
)
def test_an_installed_engine_has_the_flags_that_are_stored(engine, version, home, count):
    engine_python(home)  # skips, or fails in CI, where it is not installed
    dump = dump_installed(engine, home)
    catalog = stored(engine)
    assert dump["version"] == version
    assert len(dump["flags"]) == count
    assert without_help(dump) == without_help(expand(catalog, version))
    if version == catalog["releases"][-1]["version"]:
        assert {name: row["help"] for name, row in dump["flags"].items() if "help" in row} == {
            name: catalog["help"][name] for name in dump["flags"] if name in catalog["help"]
        }


@pytest.mark.parametrize(
    ("engine", "version", "home"),
    [
        ("vllm", "0.32.0", "vllm-0.32"),
        ("vllm", "0.33.0", "vllm-0.33"),
        ("sglang", "0.5.23", "sglang-0.5.23"),
    ],
)
def test_what_a_parser_has_is_what_its_source_names(engine, version, home):
    """The second witness, by syntax trees; `make catalogs` asks it of every release."""
    engine_python(home)
    dump = expand(stored(engine), version)
    assert differences(engine, installed(engine, home), dump) == []
    del dump["flags"]["--trust-remote-code"]
    dump["flags"]["--from-nowhere"] = {"kind": "switch", "type": "bool"}
    assert differences(engine, installed(engine, home), dump) == ["--from-nowhere", "--trust-remote-code"]


@pytest.mark.parametrize("engine", RELEASES)
def test_a_catalog_is_what_its_own_releases_merge_to_byte_for_byte(engine):
    """So that `make catalogs` changes nothing where a release is kept for want of its package."""
    catalog = stored(engine)
    had = [(row, expand(catalog, row["version"])) for row in catalog["releases"]]
    assert text(merge(engine, had)) == (STORED / f"{engine}.json").read_text()


@pytest.mark.parametrize("engine", RELEASES)
def test_every_release_that_is_asked_for_is_stored(engine):
    assert [row["version"] for row in RELEASES[engine]] == [
        row["version"] for row in stored(engine)["releases"]
    ]


def test_releases_reach_as_far_back_as_they_should():
    minors = [row["version"].rpartition(".")[0] for row in RELEASES["vllm"]]
    assert minors == [f"0.{minor}" for minor in range(18, 34)]
    assert len(RELEASES["sglang"]) >= 8
    assert Path(STORED / "openllm.json").is_file()


def test_the_stand_in_for_tgi_reads_the_variables_of_the_catalog():
    """Its own list has Rust's types, which say how many bits a number may have."""
    own = json.loads((ROOT / "tests/data/tgi-3.3.7.json").read_text())
    rows = [row for name, row in expand(stored("tgi"), "3.3.7")["flags"].items() if name.startswith("--")]
    variables = {row["env"]: row for row in rows if "env" in row}
    assert set(variables) == set(own["variables"])
    for name, rust in own["variables"].items():
        inner = rust.removeprefix("Option<").removesuffix(">")
        assert variables[name].get("choices", []) == own["enums"].get(inner, []), name

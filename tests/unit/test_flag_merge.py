"""Releases are folded into spans, and unfold to what they were."""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.tools import ROOT

from llmdeploy.catalog.flags import FlagTable

sys.path.insert(0, str(ROOT / "scripts/catalogs/flags"))
from merge import expand, merge, text

NAMES = st.sampled_from(["--a", "--b", "--c"])
RECORDS = st.fixed_dictionaries(
    {"kind": st.just("value"), "type": st.sampled_from(["int", "text"])},
    optional={"default": st.sampled_from([0, 1, True, "x"]), "aliases": st.just(["-a"])},
)
DUMPS = st.lists(
    st.fixed_dictionaries(
        {
            "flags": st.dictionaries(NAMES, RECORDS),
            "registries": st.fixed_dictionaries({"env": st.sets(st.sampled_from(["X", "Y"])).map(sorted)}),
        }
    ),
    min_size=1,
    max_size=6,
)


def folded(dumps: list[Any]) -> Any:
    rows = [{"version": f"0.{number}", "how": "live", "source": "here"} for number in range(len(dumps))]
    return merge("acme", list(zip(rows, dumps, strict=True)))


@given(DUMPS)
def test_every_release_unfolds_to_what_it_was(dumps):
    catalog = folded(dumps)
    for number, dump in enumerate(dumps):
        # Through JSON, where 1 and true differ.
        assert json.dumps(expand(catalog, f"0.{number}"), sort_keys=True) == json.dumps(dump, sort_keys=True)


@given(DUMPS)
def test_neighbouring_spans_differ(dumps):
    for spans in folded(dumps)["flags"].values():
        for one, next_ in pairwise(spans):
            bare = [{k: v for k, v in span.items() if k not in ("first", "last")} for span in (one, next_)]
            gap = int(next_["first"][2:]) - int(one["last"][2:]) > 1
            assert gap or json.dumps(bare[0]) != json.dumps(bare[1])


@given(DUMPS)
def test_the_text_is_json_and_the_reader_finds_each_release(dumps):
    catalog = folded(dumps)
    table = FlagTable(json.loads(text(catalog)))
    for number, dump in enumerate(dumps):
        assert set(table.at(f"0.{number}")) == set(dump["flags"])
        assert set(table.registry("env", f"0.{number}")) == set(dump["registries"]["env"])


def test_a_flag_that_goes_and_comes_back_has_two_spans():
    has = {"flags": {"--a": {"kind": "switch", "type": "bool"}}, "registries": {}}
    lacks = {"flags": {}, "registries": {}}
    table = FlagTable(folded([has, lacks, has, has]))
    assert table.spans("--a") == (("0.0", "0.0"), ("0.2", "0.3"))
    assert table.find("--a", "0.1") is None

"""What engines printed in public, from V0 to today: every figure that a quote states is read out of it.

scripts/accuracy/memory_points.jsonl has the lines as they were posted, with their source and the figures that a person
read there or beside them.
"""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from support.tools import ROOT

from llmdeploy.startlog import read

POINTS = ROOT / "scripts/accuracy/memory_points.jsonl"
ROWS: list[dict[str, Any]] = [json.loads(line) for line in POINTS.read_text(encoding="utf-8").splitlines()]
TERMS = {
    "weights_gib": "weights",
    "act_gib": "activation",
    "nontorch_gib": "nontorch",
    "graph_gib": "cuda_graphs",
    "init_free_gib": "free",
    "gpu_total_gib": "total",
    "kv_gib": "kv",
    "kv_tokens": "kv_tokens",
    "max_conc": "concurrency",
    "max_model_len": "context",
}
# Figures that follow from the quote without standing in it: K and V, blocks, a peak less what was there before, MB.
FOLLOW = {
    2: {"kv"},
    3: {"activation", "kv_tokens"},
    9: {"weights", "kv_tokens"},
    52: {"kv"},
    91: {"kv"},
}
# What cannot be read, for it is not the engine's own line: (row, terms).
PROSE: dict[int, set[str]] = {
    17: {"weights", "kv_tokens"},  # a table
    30: {"kv", "kv_tokens"},  # "=" where the engine has ":"
    52: {"kv"},  # "K 5.22 GB" for "K size: 5.22 GB"
    **{
        row: {"weights", "activation", "nontorch", "cuda_graphs", "kv", "context"} for row in (53, 54, 55, 56)
    },
    62: {"weights"},  # "took:"
    69: {"weights", "kv"},  # "only tooks", "is only"
    74: {"kv_tokens", "concurrency"},  # "KV pool …"
    75: {"kv", "kv_tokens", "concurrency"},
    77: {"kv_tokens"},
    78: {"kv_tokens"},
    82: {"kv", "kv_tokens", "context"},
    93: {"kv_tokens"},  # TGI
    98: {"total"},  # "(8GB GPU)"
    100: {"total"},  # "has … total" for "has a total capacity of"
}
# Which failures of the record show in a log as which.
KINDS = {
    "max_seq_len_gt_kv": {"KV too small"},
    "kv_lt_one_request": {"KV too small", "did not start"},
    "no_kv_memory": {"no room for KV", "did not start"},
    "free_memory_below_util": {"memory is not free"},
    "oom_loading": {"out of memory"},
    "oom_profile": {"out of memory"},
}


def test_all_rows_are_here():
    assert len(ROWS) == 111
    assert PROSE.keys() <= {row["id"] for row in ROWS}


def stated(row: dict[str, Any]) -> dict[str, float]:
    """The record's figures that the quote states; the others were read elsewhere in the same log."""
    numbers = {float(text.replace(",", "")) for text in re.findall(r"-?\d[\d,]*(?:\.\d+)?", row["quote"])}
    follow = FOLLOW.get(row["id"], set())
    known = {term: row[key] for key, term in TERMS.items() if row.get(key) is not None}
    return {term: value for term, value in known.items() if value in numbers or term in follow}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['id']}")
def test_the_figures_of_a_quote_are_read(row):
    boots = read(io.BytesIO(row["quote"].encode())).boots
    boot = boots[""][-1] if boots else None
    prose = PROSE.get(row["id"], set())
    for term, value in stated(row).items():
        seen = min(boot.measures.get(term, {}).values(), default=None) if boot else None
        if term in prose:
            assert seen is None or abs(seen - value) > 1e-4, "it is read after all: take it out of PROSE"
        else:
            assert seen == pytest.approx(value, abs=1e-4), term
    if row.get("failure"):
        assert boot is not None and boot.failure is not None and boot.failure.kind in KINDS[row["failure"]]
    else:
        assert boot is None or boot.failure is None

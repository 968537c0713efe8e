"""What was measured, as the tables of docs/gpu.md."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
_TERMS = {
    "weights": ("weights_gib", "weights_gib"),
    "activations": ("act_gib", "activation_gib"),
    "graphs": ("graph_gib", "cuda_graphs_gib"),
}


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


def boots() -> Iterator[str]:
    """Yield the table of the boots: what was printed, and in brackets what the ledger had said."""
    yield "| configuration | said | came up | weights | activations | graphs | KV tokens | off by |"
    yield "|---|---|---|---:|---:|---:|---:|---:|"
    for row in lines("measured.jsonl"):
        point, ledger = row["point"], row["ledger"]
        terms = [_pair(point.get(seen), ledger.get(said)) for seen, said in _TERMS.values()]
        tokens, said = point.get("kv_tokens"), ledger["kv_tokens"]
        off = f"{(said / tokens - 1) * 100:+.2f} %" if tokens else ""
        counted = f"{tokens:,.0f} ({said:,})" if tokens else f"none ({said:,})"
        came = "yes" if point["fit"] else "no"
        yield f"| {row['name']} | {ledger['verdict']} | {came} | {' | '.join(terms)} | {counted} | {off} |"


def _pair(seen: float | None, said: float | None) -> str:
    return "" if seen is None else f"{seen:.2f} ({said:.2f})"


def throughput() -> Iterator[str]:
    """Yield the table of the loads: each round, and the median of them."""
    by_way: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in lines("throughput.jsonl"):
        by_way[row["way"]].append(row)
    yield "| way | tokens/s, round by round | median | first token, ms | each further token, ms |"
    yield "|---|---:|---:|---:|---:|"
    for way, rows in by_way.items():
        rates = [row["total_token_throughput"] for row in rows]
        first, each = (median(row[key] for row in rows) for key in ("median_ttft_ms", "median_tpot_ms"))
        told = ", ".join(f"{rate:,.0f}" for rate in rates)
        yield f"| {way} | {told} | {median(rates):,.0f} | {first:,.0f} | {each:.1f} |"


def commands() -> Iterator[str]:
    """Yield the command line of each way."""
    seen = dict.fromkeys((row["way"], shlex.join(row["argv"])) for row in lines("throughput.jsonl"))
    for way, argv in seen:
        yield f"# {way}"
        yield argv

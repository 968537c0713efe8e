"""What each recorded start-up says of the ledger, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from statistics import median
from typing import Any

from asked import UnstatedError, question

from llmdeploy.memory.model import Ledger, Verdict
from llmdeploy.registry import ENGINES

Row = Mapping[str, Any]
FITTING = (Verdict.FITS, Verdict.TIGHT)


def judged(row: Row) -> dict[str, Any]:
    """Return one line of the table: what was said and what was seen."""
    ledger = _ledger(row)
    rank = min(ledger.ranks, key=lambda rank: rank.kv_gib) if ledger.ranks else None
    heaviest = max((rank.weights_gib for rank in ledger.ranks), default=None)
    return {
        "id": row["id"],
        "model": row["model"],
        "engine": row["engine"],
        "verdict": str(ledger.verdict),
        "fit": row.get("fit"),
        "kv_tokens_predicted": ledger.kv_tokens,
        "kv_tokens_observed": row.get("kv_tokens"),
        "kv_gib_predicted": round(rank.kv_gib, 3) if rank else None,
        "kv_gib_observed": row.get("kv_gib"),
        "weights_gib_predicted": round(heaviest, 3) if heaviest is not None else None,
        "weights_gib_observed": row.get("weights_gib"),
        "margin_gib": round(ledger.margin_gib, 3) if ledger.margin_gib is not None else None,
        "stated": stated(row),
        "sweep": "llm-d-planner" in str(row.get("src")),
        "modern": modern(row),
        "why_unknown": ledger.reason if ledger.verdict is Verdict.UNKNOWN else None,
    }


def _ledger(row: Row) -> Ledger:
    try:
        return ENGINES.get(str(row["engine"])).memory(question(row))
    except UnstatedError as why:
        return Ledger(Verdict.UNKNOWN, reason=str(why))


def stated(row: Row) -> bool:
    """Tell whether a point says enough to be held against: engine, version, card, tensor and the share of memory."""
    share = row.get("util") if row["engine"] != "sglang" else row.get("mem_fraction")
    told = [row.get("engine"), row.get("version"), row.get("tp"), share]
    known = str(row.get("gpu") or "unknown") != "unknown"
    kept = (
        row.get("usable") is not False
        and row.get("usable_kv") is not False
        and not row.get("kv_inconsistent")
    )
    return known and kept and all(one is not None for one in told)


def modern(row: Row) -> bool:
    """Tell whether it is vLLM's engine since 0.8."""
    numbers = str(row.get("version") or "").split(".")
    return row["engine"] == "vllm" and not (
        numbers[0] == "0"
        and len(numbers) > 1
        and numbers[1][:1].isdigit()
        and int(numbers[1].split("-")[0].rstrip("+x") or 0) < 8
    )


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    told = [row for row in rows if row["stated"]]
    return {
        "points": len(rows),
        "stated": len(told),
        "weights": errors(rows, "weights_gib"),
        "kv_gib": errors(told, "kv_gib"),
        "kv_tokens": errors(told, "kv_tokens"),
        "kv_tokens_vllm_since_0.8": errors([row for row in told if row["modern"]], "kv_tokens"),
        "kv_tokens_sweep": errors([row for row in told if row["sweep"]], "kv_tokens"),
        "kv_tokens_others": errors([row for row in told if not row["sweep"]], "kv_tokens"),
        "fits": confusion(told),
        "fits_all": confusion(rows),
    }


def errors(rows: Iterable[dict[str, Any]], name: str) -> dict[str, Any]:
    """Return relative errors in per cent; a prediction for a start-up that printed none, or less than none, is no error."""
    found = [
        (abs(row[f"{name}_predicted"] / row[f"{name}_observed"] - 1) * 100, row["id"])
        for row in rows
        if row[f"{name}_predicted"] is not None and (row[f"{name}_observed"] or 0) > 0
    ]
    if not found:
        return {"rows": 0, "median": None, "p90": None, "worst": None, "worst_id": None}
    found.sort()
    sizes = [error for error, _ in found]
    p90 = sizes[min(len(sizes) - 1, int(0.9 * len(sizes)))]
    return {
        "rows": len(found),
        "median": round(median(sizes), 2),
        "p90": round(p90, 2),
        "worst": round(sizes[-1], 2),
        "worst_id": found[-1][1],
    }


def confusion(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Count what was said against what happened; TIGHT counts as fitting."""
    counts = {"right_fits": 0, "right_no": 0, "false_fits": 0, "false_no": 0, "tight": 0, "unknown": 0}
    for row in rows:
        if row["fit"] is None:
            continue
        verdict = Verdict(row["verdict"])
        counts["tight"] += verdict is Verdict.TIGHT
        if verdict is Verdict.UNKNOWN:
            counts["unknown"] += 1
        elif verdict in FITTING:
            counts["right_fits" if row["fit"] else "false_fits"] += 1
        else:
            counts["false_no" if row["fit"] else "right_no"] += 1
    return counts


Judge = Callable[[Row], dict[str, Any]]

"""What each recorded start-up says of the ledger, and what they say together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from asked import card, question
from compared import IS_GIVEN, of_hf_mem
from msgspec.structs import replace
from named import UnstatedError, known

from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.model import Card, Ledger, Question, Verdict
from llmdeploy.memory.stage import read
from llmdeploy.registry import ENGINES

Row = Mapping[str, Any]
FITTING = (Verdict.FITS, Verdict.TIGHT)


def judged(row: Row) -> dict[str, Any]:
    """Return one line of the table: what was said and what was seen."""
    asked, ledger = _ledger(row)
    unknown = ledger.verdict is Verdict.UNKNOWN
    tightest = min(ledger.ranks, key=lambda rank: rank.kv_gib) if ledger.ranks else None
    heaviest = max((rank.weights_gib for rank in ledger.ranks), default=None)
    return {
        "id": row["id"],
        "model": row["model"],
        "engine": row["engine"],
        "family": _family(asked),
        "verdict": str(ledger.verdict),
        "fit": row.get("fit"),
        "kv_tokens_predicted": None if unknown else ledger.kv_tokens,
        "kv_tokens_observed": row.get("kv_tokens"),
        "kv_gib_predicted": round(tightest.kv_gib, 3) if tightest and not unknown else None,
        "kv_gib_observed": row.get("kv_gib"),
        "weights_gib_predicted": round(heaviest, 3) if heaviest is not None else None,
        "weights_gib_observed": row.get("weights_gib"),
        "margin_gib": round(ledger.margin_gib, 3) if ledger.margin_gib is not None and not unknown else None,
        "all_stated": all_stated(row),
        "in_catalog": known(row),
        "calibrated_on": "llm-d-planner" in str(row.get("src")),
        "since_0_8": since_0_8(row),
        "why_unknown": ledger.reason if unknown else None,
        "explained": _explained().get(row["id"]),
        "hf_mem_kv_gib": of_hf_mem(asked, row.get("kv_tokens")),
    }


def _ledger(row: Row) -> tuple[Question | None, Ledger]:
    """Ask; where only the card is not known, its weights are."""
    try:
        try:
            asked = question(row, card(row))
        except UnstatedError as why:
            asked = question(row, Card("nvidia", 80.0))
            ledger = ENGINES.get(asked.engine).memory(asked)
            if ledger.verdict is Verdict.UNKNOWN:
                return asked, ledger
            return asked, replace(ledger, verdict=Verdict.UNKNOWN, reason=str(why))
        return asked, ENGINES.get(asked.engine).memory(asked)
    except UnstatedError as why:
        return None, Ledger(Verdict.UNKNOWN, reason=str(why))


def _family(asked: Question | None) -> str | None:
    try:
        return read(asked).shape.family if asked is not None else None
    except UnmodelledError:
        return None


def all_stated(row: Row) -> bool:
    """Tell whether a point says enough to be held against: engine, version, card, tensor and the share of memory."""
    share = row.get("util") if row["engine"] != "sglang" else row.get("mem_fraction")
    told = [row.get("engine"), row.get("version"), row.get("gpu"), row.get("tp"), share]
    kept = (
        row.get("usable") is not False
        and row.get("usable_kv") is not False
        and not row.get("kv_inconsistent")
    )
    return kept and all(one is not None for one in told) and row.get("gpu") != "unknown"


def since_0_8(row: Row) -> bool:
    """Tell whether it is vLLM's engine since 0.8; `0.1x` is."""
    found = re.match(r"0\.(\d)(\d|x)?", str(row.get("version") or ""))
    return row["engine"] == "vllm" and (found is None or found[2] is not None or int(found[1]) >= 8)


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Sum up: all that say enough, then by engine, family, and whether constants were calibrated on them."""
    told = [row for row in rows if row["all_stated"] and row["in_catalog"]]
    groups: dict[str, Callable[[dict[str, Any]], Any]] = {
        "by_engine": lambda row: row["engine"],
        "by_family": lambda row: row["family"] or "not modelled",
        "by_calibration": lambda row: "calibrated on (llm-d-planner)" if row["calibrated_on"] else "others",
    }
    return {
        "points": len(rows),
        "all_stated": len(told),
        **measures(rows, told),
        "kv_tokens_vllm_since_0_8": errors((row for row in told if row["since_0_8"]), "kv_tokens"),
        "fits": confusion(told),
        "fits_of_all_points": confusion(rows),
        "hf_mem": {"kv_gib": errors(told, "kv_gib", "hf_mem_kv_gib"), "given": IS_GIVEN},
        **{name: _grouped(rows, told, key) for name, key in groups.items()},
    }


def measures(rows: list[dict[str, Any]], told: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "weights": errors(rows, "weights_gib"),
        "kv_gib": errors(told, "kv_gib"),
        "kv_tokens": errors(told, "kv_tokens"),
    }


def _grouped(
    rows: list[dict[str, Any]], told: list[dict[str, Any]], key: Callable[[dict[str, Any]], Any]
) -> dict[str, Any]:
    return {
        name: measures([row for row in rows if key(row) == name], [row for row in told if key(row) == name])
        for name in sorted({key(row) for row in rows})
    }


def errors(rows: Iterable[dict[str, Any]], name: str, predicted: str | None = None) -> dict[str, Any]:
    """Return relative errors in per cent, of what was printed and more than nothing."""
    found = sorted(
        (abs(said / row[f"{name}_observed"] - 1) * 100, row["id"])
        for row in rows
        if (said := row[predicted or f"{name}_predicted"]) is not None and (row[f"{name}_observed"] or 0) > 0
    )
    if not found:
        return {"rows": 0, "median": None, "p90": None, "worst": None, "worst_id": None}
    sizes = [error for error, _ in found]
    p90 = sizes[min(len(sizes) - 1, -(-9 * len(sizes) // 10) - 1)]
    worst, identity = found[-1]
    return {
        "rows": len(found),
        "median": round(median(sizes), 2),
        "p90": round(p90, 2),
        "worst": round(worst, 2),
        "worst_id": identity,
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


@cache
def _explained() -> dict[int, str]:
    path = Path(__file__).resolve().parent / "explained.yaml"
    return {row["id"]: row["reason"] for row in yaml.safe_load(path.read_text(encoding="utf-8"))["explained"]}

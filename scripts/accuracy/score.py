"""What each recorded start-up says of the ledger, and what they say together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

from asked import card, question
from compared import IS_GIVEN, of_hf_mem
from msgspec.structs import replace
from named import UnstatedError, known
from points import Point

from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.model import Card, Ledger, Question, Verdict
from llmdeploy.memory.stage import read
from llmdeploy.registry import ENGINES

FITTING = (Verdict.FITS, Verdict.TIGHT)


def judged(point: Point, explained: str | None = None) -> dict[str, Any]:
    """Return one line of the table: what was said and what was seen."""
    asked, ledger = _ledger(point)
    unknown = ledger.verdict is Verdict.UNKNOWN
    tightest = min(ledger.ranks, key=lambda rank: rank.kv_gib) if ledger.ranks else None
    heaviest = max((rank.weights_gib for rank in ledger.ranks), default=None)
    return {
        "id": point.id,
        "model": point.model,
        "engine": point.engine,
        "family": _family(asked),
        "verdict": str(ledger.verdict),
        "fit": point.fit,
        "kv_tokens_predicted": None if unknown else ledger.kv_tokens,
        "kv_tokens_observed": point.kv_tokens,
        "kv_gib_predicted": round(tightest.kv_gib, 3) if tightest and not unknown else None,
        "kv_gib_observed": point.kv_gib,
        "weights_gib_predicted": round(heaviest, 3) if heaviest is not None else None,
        "weights_gib_observed": point.weights_gib,
        "margin_gib": round(ledger.margin_gib, 3) if ledger.margin_gib is not None and not unknown else None,
        "all_stated": all_stated(point),
        "in_catalog": known(point),
        "calibrated_on": "llm-d-planner" in (point.src or ""),
        "since_0_8": since_0_8(point),
        "why_unknown": ledger.reason if unknown else None,
        "explained": explained,
        "hf_mem_kv_gib": of_hf_mem(asked, point.kv_tokens),
    }


def _ledger(point: Point) -> tuple[Question | None, Ledger]:
    """Ask; where only the card is not known, its weights are."""
    if point.engine not in ENGINES:
        return None, Ledger(Verdict.UNKNOWN, reason=f"engine: `{point.engine}` is none that llmdeploy knows")
    memory = ENGINES[point.engine].memory
    try:
        try:
            asked = question(point, card(point))
        except UnstatedError as why:
            asked = question(point, Card("nvidia", 80.0))
            ledger = memory(asked)
            if ledger.verdict is Verdict.UNKNOWN:
                return asked, ledger
            return asked, replace(ledger, verdict=Verdict.UNKNOWN, reason=str(why))
        return asked, memory(asked)
    except UnstatedError as why:
        return None, Ledger(Verdict.UNKNOWN, reason=str(why))


def _family(asked: Question | None) -> str | None:
    try:
        return read(asked).shape.family if asked is not None else None
    except UnmodelledError:
        return None


def all_stated(point: Point) -> bool:
    """Tell whether a point says enough to be held against: engine, version, card, tensor and the share of memory."""
    told = (point.version, point.gpu, point.tp, point.share)
    kept = point.usable is not False and point.usable_kv is not False and not point.kv_inconsistent
    return kept and all(one is not None for one in told) and point.gpu != "unknown"


def since_0_8(point: Point) -> bool:
    """Tell whether it is vLLM's engine since 0.8; `0.1x` is."""
    found = re.match(r"0\.(\d)(\d|x)?", point.version or "")
    return point.engine == "vllm" and (found is None or found[2] is not None or int(found[1]) >= 8)


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
    found = [
        (abs(said / row[f"{name}_observed"] - 1) * 100, row["id"])
        for row in rows
        if (said := row[predicted or f"{name}_predicted"]) is not None and (row[f"{name}_observed"] or 0) > 0
    ]
    found.sort(key=lambda each: each[0])  # an id may be a number or a name
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

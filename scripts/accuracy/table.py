"""The result for people."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]
HEAD = f"{'id':>4} {'model':42.42} {'verdict':7} {'fit':4} {'weights GiB':>15} {'KV GiB':>15} {'KV tokens':>17} {'error':>7}"


def table(found: Row) -> str:
    rows = found["rows"]
    said = found["summary"]
    return "\n".join(
        [
            HEAD,
            *map(_line, rows),
            "",
            "predicted/observed; * too little is stated for the KV cache to be scored",
            "",
            *_summary(said),
            "",
            *(f"{row['id']:>4} {row['model']}: {row['explained']}" for row in rows if row["explained"]),
        ]
    )


def _line(row: Row) -> str:
    fit = {True: "yes", False: "no", None: "?"}[row["fit"]]
    pairs = f"{_pair(row, 'weights_gib'):>15} {_pair(row, 'kv_gib'):>15} {_pair(row, 'kv_tokens'):>17} {_error(row):>7}"
    remark = (" *" if not row["all_stated"] else "") + (
        f"  {row['why_unknown']}" if row["why_unknown"] else ""
    )
    return f"{row['id']:>4} {row['model']:42.42} {row['verdict']:7} {fit:4} {pairs}{remark}"


def _summary(said: Row) -> list[str]:
    lines = []
    for name, value in said.items():
        if not isinstance(value, dict):
            lines.append(f"{name:32} {value}")
        elif name.startswith("by_"):
            lines += [f"{name}: median/p90/worst per cent (rows)"]
            lines += [f"  {key:30} {_measures(each)}" for key, each in value.items()]
        else:
            lines.append(f"{name:32} {', '.join(f'{key} {one}' for key, one in value.items())}")
    return lines


def _measures(each: Row) -> str:
    return "  ".join(
        f"{name} {e['median']}/{e['p90']}/{e['worst']} ({e['rows']})" for name, e in each.items() if e["rows"]
    )


def _pair(row: Row, name: str) -> str:
    pair = row[f"{name}_predicted"], row[f"{name}_observed"]
    return "/".join(
        "–" if one is None else f"{one:.2f}" if isinstance(one, float) else str(one) for one in pair
    )


def _error(row: Row) -> str:
    """Return the first of the errors that there is: of tokens, of the cache, of the weights."""
    for name in ("kv_tokens", "kv_gib", "weights_gib"):
        predicted, observed = row[f"{name}_predicted"], row[f"{name}_observed"]
        if predicted is not None and observed and observed > 0:
            return f"{(predicted / observed - 1) * 100:+.1f}%"
    return ""

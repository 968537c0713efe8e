"""The result for people."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]
QUANTITIES = {"kv_tokens": "KV tokens", "kv_gib": "KV GiB", "weights_gib": "weights GiB"}
"""What may be off, by the keys of a row; the first that was both said and seen is the error of its line."""
HEAD = (
    f"{'id':>4} {'model':42.42} {'verdict':7} {'fit':4} {'weights GiB':>15} {'KV GiB':>15} {'KV tokens':>17}"
    f" {'error':>8}  of"
)


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
    pairs = f"{_pair(row, 'weights_gib'):>15} {_pair(row, 'kv_gib'):>15} {_pair(row, 'kv_tokens'):>17}"
    remark = ("" if row["all_stated"] else " *") + (f"  {row['why_unknown']}" if row["why_unknown"] else "")
    line = f"{row['id']:>4} {row['model']:42.42} {row['verdict']:7} {fit:4} {pairs} {_error(row)}{remark}"
    return line.rstrip()


def _summary(said: Row) -> list[str]:
    lines = []
    for name, value in said.items():
        if name.startswith("by_"):
            lines += [f"{name}: median/p90/worst per cent (rows)"]
            lines += [f"  {key:30} {_measures(each) or '–'}" for key, each in value.items()]
        elif name == "hf_mem":
            lines += [f"{'hf-mem, KV GiB':32} {_words(value['kv_gib'])}", f"{'':32} {value['given']}"]
        else:
            lines.append(f"{name:32} {_words(value) if isinstance(value, dict) else value}")
    return lines


def _words(values: Row) -> str:
    return ", ".join(f"{key} {'–' if one is None else one}" for key, one in values.items())


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
    """Return the first of the errors that there is, and of what it is: of tokens, of the cache, of the weights."""
    for name, quantity in QUANTITIES.items():
        predicted, observed = row[f"{name}_predicted"], row[f"{name}_observed"]
        if predicted is not None and observed and observed > 0:
            return f"{(predicted / observed - 1) * 100:>+7.1f}%  {quantity:11}"
    return f"{'':8}  {'':11}"

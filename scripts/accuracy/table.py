"""The result for people."""

from __future__ import annotations

from typing import Any


def table(found: dict[str, Any]) -> str:
    lines = [
        f"{'id':>4} {'model':42.42} {'verdict':7} {'fit':5} {'weights':>16} {'KV GiB':>16} {'KV tokens':>22} {'error':>7}"
    ]
    for row in found["rows"]:
        lines.append(
            f"{row['id']:>4} {row['model']:42.42} {row['verdict']:7} {_word(row['fit']):5} {_pair(row, 'weights_gib'):>16}"
            f" {_pair(row, 'kv_gib'):>16} {_pair(row, 'kv_tokens'):>22} {_error(row):>7}"
            + (f"  {row['why_unknown']}" if row["why_unknown"] else "")
            + ("" if row["stated"] else "  *")
        )
    lines += ["", "predicted/observed; * too little is stated for the KV cache to be scored", ""]
    for name, value in found["summary"].items():
        said = ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else value
        lines.append(f"{name:28} {said}")
    return "\n".join(lines)


def _word(value: bool | None) -> str:
    return "?" if value is None else "yes" if value else "no"


def _pair(row: dict[str, Any], name: str) -> str:
    predicted, observed = row[f"{name}_predicted"], row[f"{name}_observed"]
    both = tuple(
        "–" if one is None else f"{one:.2f}" if isinstance(one, float) else f"{one}"
        for one in (predicted, observed)
    )
    return "/".join(both)


def _error(row: dict[str, Any]) -> str:
    for name in ("kv_tokens", "kv_gib", "weights_gib"):
        predicted, observed = row[f"{name}_predicted"], row[f"{name}_observed"]
        if predicted is not None and observed and observed > 0:
            return f"{(predicted / observed - 1) * 100:+.1f}%"
    return ""

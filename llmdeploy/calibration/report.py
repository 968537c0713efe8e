"""The comparison, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

import click
from msgspec.structs import asdict

from llmdeploy.calibration.compare import Row, Span
from llmdeploy.calibration.mismatch import Mismatch
from llmdeploy.calibration.plausible import SUM, Doubt

_WORDS = {
    "nontorch": "non-torch",
    "cuda_graphs": "CUDA graphs",
    "kv": "KV cache",
    "kv_tokens": "KV tokens",
    "concurrency": "requests at full length",
}
_HEAD = ("", "predicted", "measured", "difference", "")


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield one line for each term, then for each that is off what usually explains it."""
    cells = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEAD))]
    for row, line in zip([None, *rows], cells, strict=True):
        first, *others = (
            text.rjust(width) if at else text.ljust(width)
            for at, (text, width) in enumerate(zip(line[:4], widths, strict=False))
        )
        text = "  ".join([first, *others, line[4]]).rstrip()
        yield click.style(text, bold=row is None, fg="yellow" if row is not None and row.off else None)
    for row in rows:
        if row.off:
            yield f"{name(row)}: {_difference(row)}: {row.hint}"
    known = [row for row in rows if row.difference is not None and row.term != "start"]
    spoiled = any(not row.compared for row in rows)
    if known and not any(row.off for row in known):
        yield f"every term that {'is compared' if spoiled else 'the log states'} is as predicted"


def document(rows: Sequence[Row], differ: Sequence[Mismatch], doubts: Sequence[Doubt]) -> dict[str, Any]:
    return {
        # JSON has no word for what is no number.
        "implausible": [
            {**asdict(each), "value": each.value if isfinite(each.value) else str(each.value)}
            for each in doubts
        ],
        "mismatches": [asdict(each) for each in differ],
        "terms": [
            {
                "term": row.term,
                "unit": row.unit,
                "predicted": _pair(row.predicted),
                "measured": _pair(row.measured),
                "difference": None if row.difference is None else round(row.difference, 4),
                "share": None if row.share is None else round(row.share, 4),
                "off": row.off,
                "compared": row.compared,
                "hint": row.hint,
            }
            for row in rows
        ],
    }


def mismatch(each: Mismatch) -> str:
    return f"{each.what} is {each.log} in the log and {each.plan} in the plan"


def spoiled(each: Mismatch) -> str:
    """Say what of the table a mismatch leaves without meaning."""
    *others, last = (words(term) for term in each.spoils)
    return f"{', '.join(others)} and {last} are not compared" if others else f"{last} is not compared"


def doubt(each: Doubt) -> str:
    """Say which figure of the log is left out, and why."""
    if each.term == SUM:
        parts = ", ".join(f"{words(term)} {size}" for term, size in map(str.split, each.quote.split(", ")))
        return (
            f"the log has {parts} GiB on one GPU, {each.value:.2f} in all: {each.why}; nothing of it is kept"
        )
    quoted = f' ("{each.quote}")' if each.quote else ""
    what = f"{words(each.term)} of {each.value:,.6g}{quoted}"
    return f"the log has {what}: {each.why}; it is neither compared nor kept"


def name(row: Row) -> str:
    return words(row.term)


def words(term: str) -> str:
    return _WORDS.get(term, term)


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    predicted = _limit(row) if row.term == "start" else _range(row, row.predicted, "not predicted")
    return (
        name(row),
        predicted,
        _range(row, row.measured, "not in the log"),
        _difference(row) if row.difference is not None else "",
        "off" if row.off else "" if row.compared else "not compared",
    )


def _limit(row: Row) -> str:
    return f"at most {row.predicted[1]:.0f} s" if row.predicted else ""


def _range(row: Row, span: Span | None, unknown: str) -> str:
    if span is None:
        return unknown
    low, high = (_number(row, value) for value in span)
    return f"{low if low == high else f'{low} to {high}'} {row.unit}".replace(" ×", "×")


def _difference(row: Row) -> str:
    assert row.difference is not None
    sign = "+" if row.difference >= 0 else "-"
    value = f"{sign}{_number(row, abs(row.difference))} {row.unit}".replace(" ×", "×")
    return value if row.share is None or row.term == "start" else f"{value} ({row.share:+.1%})"


def _number(row: Row, value: float) -> str:
    return f"{value:,.0f}" if row.unit == "tokens" else f"{value:.1f}" if row.unit == "s" else f"{value:.2f}"


def _pair(span: Span | None) -> list[float] | None:
    return None if span is None else [round(value, 4) for value in span]

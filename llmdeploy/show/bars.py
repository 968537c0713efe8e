"""The cards as bars of characters, with or without colour, down to terminals of 40 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import click

from llmdeploy.memory.model import Ledger, Verdict
from llmdeploy.memory.sizes import figure
from llmdeploy.show import words
from llmdeploy.show.cards import Bar, Pool

_BLOCKS = {
    "weights": "█",
    "activation": "▓",
    "other": "▒",
    "kv": "░",
    "unknown": "?",
    "free": "·",
    "outside": "╱",
    "edge": "┃",
}
_ASCII = {
    "weights": "#",
    "activation": "%",
    "other": "+",
    "kv": "=",
    "unknown": "?",
    "free": ".",
    "outside": "/",
    "edge": "|",
}
_COLORS = {"weights": "blue", "activation": "magenta", "other": "yellow", "kv": "green", "edge": "red"}
_VERDICTS = {Verdict.FITS: "green", Verdict.TIGHT: "yellow", Verdict.NO: "red", Verdict.UNKNOWN: "cyan"}
_PLAIN = str.maketrans({"–": "-", "·": "-", "×": "x", "→": "->", "←": "<-", "…": "...", "┃": "|"})
_WIDEST = 76


def draw(pools: Sequence[Pool], columns: int, encoding: str) -> Iterator[str]:
    """Yield the lines of every pool, and the legend of what is on them."""
    signs = _BLOCKS if printable("".join(_BLOCKS.values()), encoding) else _ASCII
    columns = max(columns, 40)
    legend = [f"{_signs(term, 1, signs)} {name}" for term, name in words.legend(pools)]
    yield from folded("  ", legend, columns, between="  ")
    for pool in pools:
        yield ""
        yield from folded("", [click.style(pool.name, bold=True), *pool.title.split()], columns)
        for bar in pool.bars:
            yield from folded("  ", f"{words.place(bar)}: {words.who(bar)}".split(), columns)
            yield f"  {_bar(bar, min(columns - 14, _WIDEST), signs)} {_total(bar)}"
            for name, held in words.held(bar):
                sizes = [f"{words.term(term, pool.vendor)} {size}" for term, size in held]
                yield from folded("  ", [*([f"{name}:"] if name else []), *sizes], columns, between="  ")


def told(ledger: Ledger) -> list[str]:
    """Return what there is to say of one model's memory, a line each for verdict, figures and notes."""
    name = click.style(ledger.verdict.value, fg=_VERDICTS[ledger.verdict], bold=True)
    figures = [f"{figure.value} {figure.unit}" for figure in words.figures(ledger)]
    return [f"{name}: {words.verdict(ledger)}", *([" · ".join(figures)] if figures else []), *ledger.notes]


def printable(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def encodable(text: str, encoding: str) -> str:
    """Return `text` as that encoding can print it: our own signs in ASCII, of others a question mark."""
    if printable(text, encoding):
        return text
    return text.translate(_PLAIN).encode("ascii", "replace").decode("ascii")


def _bar(bar: Bar, width: int, signs: dict[str, str]) -> str:
    sizes = cells([segment.gib for segment in bar.segments], width)
    terms = [segment.term for segment, size in zip(bar.segments, sizes, strict=True) for _ in range(size)]
    if bar.total is not None and bar.overfull:
        terms[min(round(bar.total / bar.scale * width), width - 1)] = "edge"
    return "".join(_signs(term, len(list(run)), signs) for term, run in groupby(terms))


def cells(sizes: Sequence[float], width: int) -> list[int]:
    """Share `width` out, in proportion; everything that is there is seen, at the cost of the largest."""
    whole = sum(sizes)
    if not whole:
        return [0] * len(sizes)
    ends = [round(sum(sizes[: index + 1]) / whole * width) for index in range(len(sizes))]
    shares = [end - begin for begin, end in zip([0, *ends], ends, strict=False)]
    for index, share in enumerate(shares):
        if not share and max(shares) > 1:
            shares[index] = 1
            shares[shares.index(max(shares))] -= 1
    return shares


def _signs(term: str, count: int, signs: dict[str, str]) -> str:
    return click.style(signs[term] * count, fg=_COLORS.get(term), dim=term in ("free", "outside") or None)


def _total(bar: Bar) -> str:
    return f"{figure(bar.total if bar.total is not None else bar.scale):>7} GiB"


def folded(indent: str, items: Sequence[str], columns: int, between: str = " ") -> list[str]:
    """Put the items on as few lines as hold them; what hangs over is indented further."""
    lines = [indent]
    for item in items:
        fresh = not lines[-1].strip()
        # Escape sequences take no room.
        if not fresh and len(click.unstyle(lines[-1] + between + item)) > columns:
            lines.append(indent + "  ")
            fresh = True
        lines[-1] += item if fresh else between + item
    return lines

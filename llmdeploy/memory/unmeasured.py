"""Ledgers of cards on which nothing was measured: what was taken from others says so."""

from __future__ import annotations

import re

from msgspec.structs import replace

from llmdeploy.memory.model import Ledger, Line, Rank

NOTE = "no constant of this was measured on AMD: they are those of NVIDIA's cards, and the margin is twice as wide"
_TAG = re.compile(r"\[([MF])\]")
_WORDS = {
    "CUDA, NCCL and cuBLAS": "HIP, RCCL and hipBLAS",
    "CUDA's libraries": "ROCm's libraries",
}


def on_amd(ledger: Ledger) -> Ledger:
    """Return a ledger whose rules tell where their constants are from."""
    if not ledger.ranks:
        return ledger
    return replace(ledger, ranks=tuple(map(_rank, ledger.ranks)), notes=(*ledger.notes, NOTE))


def _rank(rank: Rank) -> Rank:
    return replace(rank, lines=tuple(map(_line, rank.lines)))


def _line(line: Line) -> Line:
    rule = _TAG.sub(r"[\1 on NVIDIA]", line.rule)
    for nvidia, amd in _WORDS.items():
        rule = rule.replace(nvidia, amd)
    return replace(line, rule=rule)

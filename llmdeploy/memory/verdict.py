"""Whether it fits, given how far an equation can be off."""

from __future__ import annotations

from llmdeploy.memory.model import Verdict

_UNMEASURED = {"amd": 2.0}
"""Vendors on whose cards no constant was measured, and how much wider the margin is there; an assumption."""


def judge(margin_gib: float, card_gib: float, vendor: str = "nvidia") -> Verdict:
    """Judge what is left beyond one request: less than the equation's own error is TIGHT."""
    if margin_gib < 0:
        return Verdict.NO
    return Verdict.FITS if margin_gib >= error_gib(card_gib, vendor) else Verdict.TIGHT


def error_gib(card_gib: float, vendor: str = "nvidia") -> float:
    """Return the error of the recorded logs: half a GiB, or 1.5 % of a card where that is more."""
    return max(0.5, 0.015 * card_gib) * _UNMEASURED.get(vendor, 1.0)

"""An engine's own fraction of a card that it shares: so much that all it takes there stays within its share.

Who starts next asks what is free, and the one before gives nothing back. So the equation's error is kept free in every
share: shares may then sum to a whole card.
"""

from __future__ import annotations

import math

from llmdeploy.memory.model import Question
from llmdeploy.memory.verdict import error_gib

_LEAST = 0.001


def budget_gib(question: Question, share: float) -> float:
    """Return what the engine may take of the card in all, as far as it can be told beforehand."""
    return share * question.card.memory_gib - error_gib(question.card.memory_gib, question.card.vendor)


def rounded(fraction: float) -> float:
    """Return a fraction as it is written, never more than it was, and never so little that an engine refuses it."""
    return min(max(math.floor(fraction * 1000) / 1000, _LEAST), 1.0)

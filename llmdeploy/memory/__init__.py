"""What a deployment takes of its GPUs: a question about one model, and the ledger that answers it."""

from __future__ import annotations

from llmdeploy.memory.model import (
    Adapters,
    Card,
    Drafter,
    Ledger,
    Line,
    Model,
    Question,
    Rank,
    Split,
    Tensor,
    Verdict,
)

__all__ = [
    "Adapters",
    "Card",
    "Drafter",
    "Ledger",
    "Line",
    "Model",
    "Question",
    "Rank",
    "Split",
    "Tensor",
    "Verdict",
]

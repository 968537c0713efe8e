"""What a deployment takes of its GPUs: a question about one model, and the ledger that answers it."""

from __future__ import annotations

from llmdeploy.memory.model import Card, Ledger, Line, Question, Rank, Split, Verdict

__all__ = ["Card", "Ledger", "Line", "Question", "Rank", "Split", "Verdict"]

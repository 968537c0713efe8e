"""When TGI reads a prompt in one step, and not in chunks: what its ledger and its clashes both go by."""

from __future__ import annotations


def in_one_step(vendor: str, drafts: bool) -> str | None:
    """Return when a prompt is read in one step, as the end of a sentence; None where it may be read in chunks.

    server/text_generation_server/models/model.py turns chunks off.
    """
    if vendor == "amd":
        return "on AMD"
    return "with `speculative`" if drafts else None

"""When TGI reads a prompt in one step, and not in chunks: what its ledger and its clashes both go by."""

from __future__ import annotations

_CHUNKED = ("flashinfer", "flashdecoding", "flashdecoding-ipex")


def in_one_step(
    vendor: str, drafts: bool, chunking: str | None = None, attention: str | None = None
) -> str | None:
    """Return when a prompt is read in one step, as the end of a sentence; None where it may be read in chunks.

    `chunking` and `attention` are PREFILL_CHUNKING and ATTENTION, where they are set. server/text_generation_server/models
    (globals.py, model.py) turns chunks off.
    """
    if vendor == "amd":
        return "on AMD"
    if drafts:
        return "with `speculative`"
    if chunking is not None and chunking.lower() not in ("1", "true"):
        return f"with `PREFILL_CHUNKING: {chunking}`"
    return f"with `ATTENTION: {attention}`" if attention not in (None, *_CHUNKED) else None

"""OpenLLM starts vLLM: the release that the Bento pins, and the length that it sets."""

from __future__ import annotations

from msgspec.structs import replace

from llmdeploy.catalog import bento
from llmdeploy.engines.vllm.memory import memory as of_vllm
from llmdeploy.memory.model import Ledger, Question, Verdict


def memory(question: Question) -> Ledger:
    """Answer as vLLM does. `question.model.id` is the tag of the Bento."""
    packed = bento(question.model.id)
    if packed is None:
        return Ledger(Verdict.UNKNOWN, reason=f"bento: the catalog has no Bento `{question.model.id}`")
    context = question.context or packed.max_model_len
    return of_vllm(replace(question, engine="vllm", version=packed.vllm, context=context))

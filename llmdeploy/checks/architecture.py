"""Facts that llm.yaml states of a model, against the config.json that the engine will read."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note, Path
from llmdeploy.facts.config import said, stated

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
"""config.json's words for the number of experts."""


def check(context: Context) -> Iterator[Diagnostic]:
    yield from _contradictions(context)
    for name in context.spec.models:
        yield from _uneven(context, name)


def _uneven(context: Context, name: str) -> Iterator[Diagnostic]:
    """Each key belongs to the same number of query heads, and every engine asserts so as it loads.

    Source: vLLM 0.33, layers/attention/attention.py (`num_heads % num_kv_heads == 0`).
    """
    facts = context.model_facts(name)
    if facts is None or not facts.heads or not facts.kv_heads or facts.kv_lora_rank:
        return
    if facts.heads % facts.kv_heads:
        stated = notes(context, name, "num_key_value_heads", "num_attention_heads")
        yield Diagnostic(
            "LD351",
            f"`{name}` has {facts.heads} attention heads, which {facts.kv_heads} key/value heads cannot serve evenly",
            ("models", name, *(("architecture", "num_key_value_heads") if stated else ("source",))),
            "look the two numbers up in its config.json: the first is a multiple of the second",
        )


def _contradictions(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        read = context.read_facts(name)
        if read is None or model.architecture is None:
            continue
        config = context.checkpoint(name).config
        for key, value in model.architecture.model_dump(exclude_unset=True).items():
            # A key that is no fact of its own is for the ledger alone.
            pairs = [(getattr(read, fact), here) for fact, here in stated({key: value}).items()]
            for there, here in pairs or [(said(config, key), value)]:
                if there not in (None, ()) and there != here:
                    yield Diagnostic(
                        "LD523",
                        f"config.json says {_words(there)} where `{key}` of llm.yaml says {_words(here)}; config.json is believed",
                        ("models", name, "architecture", key),
                        "remove it: the engine reads config.json and nothing else",
                    )
                    break


def notes(context: Context, name: str, *keys: str) -> tuple[Note, ...]:
    """Return where llm.yaml itself states facts that a finding rests on."""
    architecture = context.spec.models[name].architecture
    given = [key for key in keys if architecture and key in architecture.model_fields_set]
    path: Path = ("models", name, "architecture")
    # One note for the mapping and one for each that is nested in it, not one for each number.
    places = dict.fromkeys((*path, key) if key.endswith("_config") else path for key in given)
    return tuple(Note("stated here", place) for place in places)


def _words(fact: object) -> str:
    if isinstance(fact, bool):
        return f"`{str(fact).lower()}`"
    return ", ".join(map(str, fact)) if isinstance(fact, (tuple, list)) else f"`{fact}`"

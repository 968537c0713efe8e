"""A model's config.json, reduced to the facts that checks need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmdeploy.catalog import ModelFacts


def facts(config: Mapping[str, Any], name: str) -> ModelFacts | None:
    """Return the facts of a config.json, or None where it does not describe a language model.

    A multi-modal config keeps the language model under `text_config`. Unlike the catalog, whose rows are
    reviewed, a file may hold anything: whatever is not of the right type is taken as not stated.
    """
    nested = config.get("text_config")
    text: Mapping[str, Any] = nested if isinstance(nested, Mapping) else config
    heads = _integer(text, "num_attention_heads")
    if heads is None:
        return None
    declared = config.get("quantization_config")
    method = declared.get("quant_method") if isinstance(declared, Mapping) else None
    kind = text.get("model_type")
    return ModelFacts(
        id=name,
        model_type=kind if isinstance(kind, str) else None,
        heads=heads,
        kv_heads=_integer(text, "num_key_value_heads"),
        max_context=_longest(text),
        vocab=_integer(text, "vocab_size") or 0,
        experts=_integer(text, "num_experts", "num_local_experts", "n_routed_experts"),
        quantization=method if isinstance(method, str) else None,
        source="config.json",
    )


def _longest(config: Mapping[str, Any]) -> int | None:
    """Return the context that engines derive: rope scaling multiplies it, except where the config counts it in.

    Source: vLLM 0.33, `_get_and_verify_max_len` (config/model.py): yarn counts from
    original_max_position_embeddings; llama3, longrope and mrope already state the scaled length.
    """
    stated = _integer(config, "max_position_embeddings")
    scaling = config.get("rope_scaling") or config.get("rope_parameters")
    if stated is None or not isinstance(scaling, Mapping):
        return stated
    kind = scaling.get("rope_type", scaling.get("type", "default"))
    factor = scaling.get("factor")
    if (
        kind in ("default", "llama3", "longrope", "su", "mrope")
        or not isinstance(factor, (int, float))
        or factor <= 0
    ):
        return stated
    start = _integer(scaling, "original_max_position_embeddings") if kind == "yarn" else None
    return int((start or stated) * factor)


def _integer(config: Mapping[str, Any], *keys: str) -> int | None:
    for key in keys:
        value = config.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None

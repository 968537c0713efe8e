"""A model's config.json, reduced to the facts that checks need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmdeploy.catalog import ModelFacts
from llmdeploy.facts.checkpoint import checkpoint

_DTYPES = ("bfloat16", "float16", "float32")

#: A config.json names the number of routed experts in one of these ways.
EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
EXPERTS_PER_TOKEN = ("num_experts_per_tok", "experts_per_token", "top_k_experts")
_VISION_HEADS = ("num_heads", "num_attention_heads", "vt_num_attention_heads")
_VISION_SIZES = ("hidden_size", "vt_hidden_size", "embed_dim")


def facts(
    config: Mapping[str, Any], name: str, source: str = "config.json", exported: Any = None
) -> ModelFacts | None:
    """Return the facts of a config.json, or None where it does not describe a language model.

    A multi-modal config keeps the language model under `text_config`. A file may hold anything: whatever is
    not of the right type is taken as not stated. `exported` is ModelOpt's hf_quant_config.json.
    """
    nested = config.get("text_config")
    text: Mapping[str, Any] = nested if isinstance(nested, Mapping) else config
    if integer(text, "num_attention_heads") is None:
        return None
    whole = {"quantization_config": text.get("quantization_config"), **config}
    read = {"experts": 0, **_language(text), **_vision(config), **_quantization(whole, exported)}
    longest, unscaled, _ = _lengths(config)
    # Some of a multi-modal config is said of both parts at once.
    both = {
        "dtype": _dtype(config) or _dtype(text),
        "tied": _boolean(config.get("tie_word_embeddings", text.get("tie_word_embeddings"))),
        "architectures": _texts(config.get("architectures")),
        "max_context": longest,
        "unscaled_context": unscaled,
    }
    return ModelFacts(id=name, source=source, **read | both)


def stated(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that a part of a config.json states, by the names of `ModelFacts`, and no others."""
    nested = config.get("text_config")
    inner = _language(nested) if isinstance(nested, Mapping) else {}
    read = {**_language(config), **{name: value for name, value in inner.items() if value is not None}}
    read |= {**_vision(config), "architectures": _texts(config.get("architectures"))}
    read["max_context"] = _lengths(config)[0]
    if "quantization_config" in config:
        read |= _quantization(config, None)
    return {name: value for name, value in read.items() if value not in (None, ())}


def stretched(config: Mapping[str, Any]) -> int | None:
    """Return the length that a YaRN is made for; None where there is none."""
    return _lengths(config)[2]


def said(config: Mapping[str, Any], key: str) -> Any:
    """Return what a config.json says of a key: of the language model, else of the whole."""
    nested = config.get("text_config")
    return nested[key] if isinstance(nested, Mapping) and key in nested else config.get(key)


def _language(text: Mapping[str, Any]) -> dict[str, Any]:
    experts = integer(text, *EXPERTS)
    sized = integer(text, "moe_intermediate_size")
    read = {
        "model_type": _text(text.get("model_type")),
        "dtype": _dtype(text),
        "layers": integer(text, "num_hidden_layers"),
        "hidden_size": integer(text, "hidden_size"),
        "intermediate_size": integer(text, "intermediate_size"),
        # Mixtral and its kin have nothing but experts, of the one size that they state.
        "moe_intermediate_size": sized or (integer(text, "intermediate_size") if experts else None),
        "heads": integer(text, "num_attention_heads"),
        "kv_heads": integer(text, "num_key_value_heads"),
        "head_dim": integer(text, "head_dim"),
        "kv_lora_rank": integer(text, "kv_lora_rank"),
        "experts_per_token": integer(text, *EXPERTS_PER_TOKEN),
        "vocab": integer(text, "vocab_size"),
        "tied": _boolean(text.get("tie_word_embeddings")),
        "sliding_window": integer(text, "sliding_window"),
    }
    return read | ({"experts": experts} if experts else {})


def _vision(config: Mapping[str, Any]) -> dict[str, Any]:
    seen = config.get("vision_config")
    vision: Mapping[str, Any] = seen if isinstance(seen, Mapping) else {}
    heads, size = integer(vision, *_VISION_HEADS), integer(vision, *_VISION_SIZES)
    return {"vision_heads": heads, "vision_hidden_size": size}


def _quantization(config: Mapping[str, Any], exported: Any) -> dict[str, Any]:
    read = checkpoint(config.get("quantization_config"), exported)
    return {
        "quantization": read.format,
        "quantization_bits": read.bits,
        "quantization_group": read.group,
        "quantization_block": read.block,
    }


def _lengths(config: Mapping[str, Any]) -> tuple[int | None, int | None, int | None]:
    """Return the longest context, that before a LongRoPE, and what a YaRN is made for.

    What is no length at all is not stated: a check and the ledger refuse it.
    """
    # Who has no config.json at hand does not pay for them.
    from llmdeploy.memory import rope
    from llmdeploy.memory.config import Config
    from llmdeploy.memory.errors import UnmodelledError

    read = Config(config)
    try:
        return rope.context(read), rope.unscaled(read), rope.stretched(read)
    except UnmodelledError:
        return None, None, None


def integer(config: Mapping[str, Any], *keys: str) -> int | None:
    """Return the first of the keys that holds a positive integer."""
    for key in keys:
        value = config.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def _dtype(config: Mapping[str, Any]) -> str | None:
    """Transformers 5 calls it `dtype`, before it was `torch_dtype`."""
    stated = _text(config.get("dtype")) or _text(config.get("torch_dtype"))
    return stated if stated in _DTYPES else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None

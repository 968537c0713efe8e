"""Values of a config.json that are of another kind than every engine expects.

Since transformers 5 a config class refuses what is not of the kind that it declares (`StrictDataclassFieldValidationError`);
before it, and where a class declares nothing, such values end in a TypeError, once they are calculated with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import isfinite
from typing import Any, NamedTuple

from llmdeploy.facts.config import EXPERTS, EXPERTS_PER_TOKEN
from llmdeploy.memory.config import mapping

Rule = Callable[[Any], str | None]
"""Answers a value of the wrong kind with what is wanted instead. It is not asked of null, which some exporters write for
a key that does not apply."""

_MOST = 1 << 30
"""No model has more of anything that is counted here."""


class Misstated(NamedTuple):
    key: str
    value: Any
    wanted: str


def misstated(config: Mapping[str, Any], prefix: str = "") -> Iterator[Misstated]:
    """Yield every value of the wrong kind, by the dotted name of its key."""
    yield from _wrong(config, _MODEL, prefix)
    for name, inside in _PARTS.items():
        if isinstance(part := config.get(name), Mapping):
            yield from inside(part, f"{prefix}{name}.")


def _wrong(stated: Mapping[str, Any], rules: Mapping[str, Rule], prefix: str) -> Iterator[Misstated]:
    for key, rule in rules.items():
        value = stated.get(key)
        if value is not None and (wanted := rule(value)) is not None:
            yield Misstated(f"{prefix}{key}", value, wanted)


def _vision(stated: Mapping[str, Any], prefix: str) -> Iterator[Misstated]:
    yield from _wrong(stated, _VISION, prefix)


def _quantization(stated: Mapping[str, Any], prefix: str) -> Iterator[Misstated]:
    """What a group of compressed-tensors lacks altogether is a contradiction (LD354)."""
    yield from _wrong(stated, _QUANTIZATION, prefix)
    for name, group in mapping(stated.get("config_groups")).items():
        yield from _wrong(
            mapping(mapping(group).get("weights")), _GROUP, f"{prefix}config_groups.{name}.weights."
        )


def _positions(stated: Mapping[str, Any], prefix: str) -> Iterator[Misstated]:
    """Of rope: one object, or one for each kind of layer."""
    yield from _wrong(stated, _ROPE, prefix)
    for name, inside in stated.items():
        if name.endswith("_attention"):
            yield from _wrong(stated, {name: _rope}, prefix)
        if isinstance(inside, Mapping):
            yield from _wrong(inside, _ROPE, f"{prefix}{name}.")


def _of(kind: type, wanted: str) -> Rule:
    return lambda value: None if isinstance(value, kind) else wanted


def _count(least: int, *, listed: bool = False) -> Rule:
    """Of whole numbers; `listed` where some models state one for each layer, or side."""

    def wanted(value: Any) -> str | None:
        if listed and isinstance(value, list):
            return None
        if type(value) is not int:
            return "a whole number"
        if value < least:
            return f"a whole number of {least} or more"
        return None if value <= _MOST else f"a whole number of {_MOST:,} at most"

    return wanted


def _names(value: Any) -> str | None:
    if not isinstance(value, list):
        return "a list"
    return None if all(isinstance(name, str) for name in value) else "a list of text"


def _above_zero(value: Any) -> str | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value) and value > 0
    return None if good else "a number above 0"


def _share(value: Any) -> str | None:
    """Source: vLLM 0.33, model_executor/layers/rotary_embedding/__init__.py (get_rope)."""
    return None if _above_zero(value) is None and value <= 1 else "a number above 0, and 1 at most"


def _pattern(value: Any) -> str | None:
    """EXAONE 4 writes `LLLG` where others have the number 4."""
    return None if isinstance(value, str) else _COUNT(value)


def _type(value: Any) -> str | None:
    """transformers asks torch for an attribute of this name."""
    good = isinstance(value, str) and (value in _TYPES or value.startswith(("float8_", "float4_")))
    return None if good else "torch's name of a type, like `bfloat16`"


def _rope(value: Any) -> str | None:
    """Without its kind, a factor lengthens what vLLM 0.33 and SGLang 0.5.23 accept, and the positions stay as they are."""
    if not isinstance(value, Mapping):
        return "an object"
    named = value.get("rope_type") is not None or value.get("type") is not None
    return None if named or value.get("factor") is None else "an object with a `rope_type`"


def _block(value: Any) -> str | None:
    good = (
        isinstance(value, list) and len(value) == 2 and all(type(size) is int and size > 0 for size in value)
    )
    return None if good else "a list of two whole numbers"


_TYPES = {
    *("bfloat16", "float16", "half", "float32", "float", "float64", "double"),
    *("int8", "uint8", "int16", "int32", "int64"),
}
_OBJECT, _LIST, _TEXT = _of(Mapping, "an object"), _of(list, "a list"), _of(str, "text")
_BOOLEAN = _of(bool, "`true` or `false`")
_SIZE, _COUNT, _GROUPED = _count(1), _count(0), _count(-1)
_SIZES, _COUNTS = _count(1, listed=True), _count(0, listed=True)

_MODEL: dict[str, Rule] = {
    "architectures": _names,
    "model_type": _TEXT,
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), _SIZE),
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "vocab_size"), _SIZE),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_sequence_length"), _SIZE),
    "original_max_position_embeddings": _SIZE,
    **dict.fromkeys(("num_attention_heads", "num_key_value_heads", "n_head"), _SIZES),
    # 0 is what a model does not have, where it may do without.
    **dict.fromkeys(("num_heads", "num_kv_heads", "n_head_kv"), _COUNTS),
    **dict.fromkeys(("head_dim", "attention_head_dim", "rotary_dim", "v_head_dim"), _COUNT),
    **dict.fromkeys(("kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim"), _COUNT),
    **dict.fromkeys(("index_head_dim", "index_n_heads"), _COUNT),
    **dict.fromkeys(("global_head_dim", "num_global_key_value_heads"), _COUNT),
    **dict.fromkeys(("swa_head_dim", "swa_v_head_dim"), _COUNT),
    **dict.fromkeys(("swa_num_attention_heads", "swa_num_key_value_heads"), _COUNT),
    **dict.fromkeys(("sliding_window", "attention_chunk_size"), _COUNTS),
    **dict.fromkeys(("num_kv_shared_layers", "hidden_size_per_layer_input"), _COUNT),
    **dict.fromkeys(("intermediate_size", "intermediate_size_mlp", "shared_intermediate_size"), _COUNTS),
    **dict.fromkeys(("ffn_dim", "ffn_hidden_size", "n_inner"), _COUNTS),
    **dict.fromkeys((*EXPERTS, *EXPERTS_PER_TOKEN, "moe_topk", "moe_intermediate_size"), _COUNTS),
    **dict.fromkeys(("n_shared_experts", "num_shared_experts"), _COUNTS),
    **dict.fromkeys(("shared_expert_intermediate_size", "moe_shared_expert_intermediate_size"), _COUNTS),
    "moe_latent_size": _SIZE,
    "moe_layer_freq": _COUNTS,
    **dict.fromkeys(("first_k_dense_replace", "decoder_sparse_step", "interleave_moe_layer_step"), _COUNT),
    **dict.fromkeys(("num_nextn_predict_layers", "mtp_num_hidden_layers"), _COUNT),
    **dict.fromkeys(("linear_num_key_heads", "linear_num_value_heads", "full_attention_interval"), _COUNT),
    **dict.fromkeys(("linear_key_head_dim", "linear_value_head_dim"), _COUNT),
    **dict.fromkeys(("mamba_num_heads", "mamba_n_heads", "mamba_head_dim", "mamba_d_head"), _COUNT),
    **dict.fromkeys(("ssm_state_size", "mamba_d_state", "n_groups", "mamba_n_groups"), _COUNT),
    **dict.fromkeys(("conv_kernel", "mamba_d_conv", "linear_conv_kernel_dim"), _SIZES),
    "sliding_window_pattern": _pattern,
    **dict.fromkeys(("layer_types", "layers_block_type"), _names),
    **dict.fromkeys(("hybrid_layer_pattern", "mlp_only_layers"), _LIST),
    **dict.fromkeys(("hybrid_override_pattern", "mamba_ssm_cache_dtype", "mamba_ssm_dtype"), _TEXT),
    **dict.fromkeys(("dtype", "torch_dtype"), _type),
    **dict.fromkeys(("tie_word_embeddings", "attention_bias", "qkv_bias", "attn_output_gate"), _BOOLEAN),
    **dict.fromkeys(("mlp_gated", "enable_moe_block", "multi_query", "new_decoder_architecture"), _BOOLEAN),
    "partial_rotary_factor": _share,
    **dict.fromkeys(("rope_scaling", "rope_parameters"), _rope),
    **dict.fromkeys(("quantization_config", "compression_config", "vision_config"), _OBJECT),
    **dict.fromkeys(("text_config", "llm_config", "language_config", "thinker_config"), _OBJECT),
}
_VISION: dict[str, Rule] = {
    "model_type": _TEXT,
    **dict.fromkeys(("hidden_size", "vt_hidden_size", "embed_dim", "qkv_hidden_size"), _COUNTS),
    **dict.fromkeys(("num_hidden_layers", "vt_num_hidden_layers", "depth"), _COUNTS),
    **dict.fromkeys(("intermediate_size", "vt_intermediate_size"), _COUNTS),
    **dict.fromkeys(("num_attention_heads", "vt_num_attention_heads", "num_heads"), _COUNTS),
    **dict.fromkeys(("patch_size", "temporal_patch_size", "spatial_merge_size"), _SIZES),
    "image_size": _COUNTS,
    **dict.fromkeys(("num_position_embeddings", "position_embedding_size"), _COUNTS),
    **dict.fromkeys(("init_pos_emb_height", "init_pos_emb_width"), _COUNTS),
    **dict.fromkeys(("vision_output_dim", "projector_input_dim", "projector_output_dim"), _COUNTS),
    "pixel_shuffle_ratio": _share,
    "deepstack_visual_indexes": _LIST,
    "gated": _BOOLEAN,
    **dict.fromkeys(("dtype", "torch_dtype"), _type),
}
_ROPE: dict[str, Rule] = {
    **dict.fromkeys(("rope_type", "type"), _TEXT),
    **dict.fromkeys(("factor", "rope_theta"), _above_zero),
    "original_max_position_embeddings": _SIZE,
    "partial_rotary_factor": _share,
}
_QUANTIZATION: dict[str, Rule] = {
    **dict.fromkeys(("quant_method", "quant_algo"), _TEXT),
    **dict.fromkeys(("bits", "w_bit"), _SIZE),
    **dict.fromkeys(("group_size", "q_group_size"), _GROUPED),
    **dict.fromkeys(("desc_act", "sym", "zero_point", "load_in_8bit", "load_in_4bit"), _BOOLEAN),
    **dict.fromkeys(("ignore", "modules_to_not_convert", "exclude_modules", "ignored_layers"), _LIST),
    "weight_block_size": _block,
    "config_groups": _OBJECT,
}
_GROUP: dict[str, Rule] = {"num_bits": _SIZE, "group_size": _GROUPED}

_PARTS: dict[str, Callable[[Mapping[str, Any], str], Iterator[Misstated]]] = {
    **dict.fromkeys(("quantization_config", "compression_config"), _quantization),
    **dict.fromkeys(("rope_scaling", "rope_parameters"), _positions),
    "vision_config": _vision,
    **dict.fromkeys(("text_config", "llm_config", "language_config", "thinker_config"), misstated),
}

"""The metadata of a GGUF file in the words of a config.json."""

from __future__ import annotations

from typing import Any

from llmdeploy.facts.gguf import Array, Header

_KEYS = {
    "context_length": "max_position_embeddings",
    "embedding_length": "hidden_size",
    "feed_forward_length": "intermediate_size",
    "expert_feed_forward_length": "moe_intermediate_size",
    "expert_used_count": "num_experts_per_tok",
    "expert_shared_count": "n_shared_experts",
    "expert_shared_feed_forward_length": "shared_expert_intermediate_size",
    "leading_dense_block_count": "first_k_dense_replace",
    "nextn_predict_layers": "num_nextn_predict_layers",
    "vocab_size": "vocab_size",
    "attention.head_count": "num_attention_heads",
    "attention.head_count_kv": "num_key_value_heads",
    "attention.key_length": "head_dim",
    "attention.sliding_window": "sliding_window",
    "attention.q_lora_rank": "q_lora_rank",
    "attention.kv_lora_rank": "kv_lora_rank",
    "attention.shared_kv_layers": "num_kv_shared_layers",
}
"""Below the name of the architecture -> config.json. Source: gguf 0.19.0, gguf/constants.py (class Keys); llama.cpp,
convert_hf_to_gguf.py, which writes the one from the other."""

_MODEL_TYPES = {
    "qwen2moe": "qwen2_moe",
    "qwen3moe": "qwen3_moe",
    "qwen3next": "qwen3_next",
    "gemma3": "gemma3_text",
    "gpt-oss": "gpt_oss",
    "glm4moe": "glm4_moe",
    "command-r": "cohere",
    "phi2": "phi",
}
"""Architectures that config.json spells otherwise. Source: gguf 0.19.0, gguf/constants.py (MODEL_ARCH_NAMES);
transformers 5, integrations/ggml.py and modeling_gguf_pytorch_utils.py."""

_EXPERTS = {"gpt-oss": "num_local_experts", "llama": "num_local_experts", "deepseek2": "n_routed_experts"}
_SIGMOID = 2
"""`expert_gating_func` of DeepSeek V3; V2 has softmax. Source: gguf 0.19.0, class ExpertGatingFuncType."""


def config(header: Header) -> dict[str, Any]:
    """Return what the header states. A value that differs from layer to layer is left out: it is no single fact."""
    architecture = header.metadata.get("general.architecture")
    if not isinstance(architecture, str):
        return {}
    stated = {
        name: value
        for key, name in _KEYS.items()
        if (value := _number(header.metadata.get(f"{architecture}.{key}"))) is not None
    }
    layers = _number(header.metadata.get(f"{architecture}.block_count"))
    if layers is not None:
        # llama.cpp counts the MTP layers in.
        stated["num_hidden_layers"] = layers - stated.get("num_nextn_predict_layers", 0)
    experts = _number(header.metadata.get(f"{architecture}.expert_count"))
    if experts:
        stated[_EXPERTS.get(architecture, "num_experts")] = experts
    tokens = header.metadata.get("tokenizer.ggml.tokens")
    if isinstance(tokens, Array):
        stated.setdefault("vocab_size", tokens.length)
    if header.tensors:
        stated["tie_word_embeddings"] = "output.weight" not in header.tensors
    if "kv_lora_rank" in stated:
        stated |= _latent(header, architecture)
    model_type = _model_type(header, architecture, bool(experts))
    return {"model_type": model_type, **stated, "quantization_config": {"quant_method": "gguf"}}


def _model_type(header: Header, architecture: str, experts: bool) -> str:
    if architecture == "llama" and experts:
        return "mixtral"
    if architecture == "deepseek2":
        gating = header.metadata.get(f"{architecture}.expert_gating_func")
        return "deepseek_v3" if gating == _SIGMOID else "deepseek_v2"
    return _MODEL_TYPES.get(architecture, architecture)


def _latent(header: Header, architecture: str) -> dict[str, int]:
    """The heads of latent attention. Files before April 2025 lack the `_mla` keys, and state its heads without."""
    below = {key: _number(header.metadata.get(f"{architecture}.{key}")) for key in _LATENT}
    rope = below["rope.dimension_count"]
    key = below["attention.key_length_mla"] or below["attention.key_length"]
    value = below["attention.value_length_mla"] or below["attention.value_length"]
    sizes = {"qk_rope_head_dim": rope, "v_head_dim": value}
    if key is not None and rope is not None and key > rope:
        sizes |= {"qk_nope_head_dim": key - rope, "head_dim": key}
    return {name: size for name, size in sizes.items() if size is not None}


_LATENT = (
    "rope.dimension_count",
    *("attention.key_length_mla", "attention.key_length"),
    *("attention.value_length_mla", "attention.value_length"),
)


def _number(value: Any) -> int | None:
    if isinstance(value, Array):
        several = set(value.values or ())
        value = several.pop() if len(several) == 1 else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

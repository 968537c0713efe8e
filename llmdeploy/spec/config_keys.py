"""The keys of a config.json that something here reads, beside those that are fields of `spec.architecture`, by kind.

A field costs every start a quarter of a millisecond, and there are a hundred of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Kind = Literal["size", "number", "flag", "text", "list", "mapping", "size or list", "text or mapping"]

MOST = 1 << 30


def _table(**names: str) -> Mapping[str, Kind]:
    kinds: dict[str, Kind] = {
        "sizes": "size",
        "numbers": "number",
        "flags": "flag",
        "texts": "text",
        "lists": "list",
        "mappings": "mapping",
        "either": "size or list",
        "scheme": "text or mapping",
    }
    return {name: kinds[kind] for kind, listed in names.items() for name in listed.split()}


LANGUAGE = _table(
    sizes="""
    linear_num_key_heads linear_num_value_heads linear_key_head_dim linear_value_head_dim linear_conv_kernel_dim
    full_attention_interval attention_chunk_size sliding_window_pattern
    mamba_num_heads mamba_head_dim ssm_state_size n_groups conv_kernel
    mamba_n_heads mamba_d_head mamba_d_state mamba_n_groups mamba_d_conv
    moe_shared_expert_intermediate_size moe_latent_size decoder_sparse_step interleave_moe_layer_step
    intermediate_size_mlp shared_intermediate_size top_k_experts experts_per_token moe_num_experts moe_topk num_shared_experts
    index_head_dim index_n_heads num_nextn_predict_layers mtp_num_hidden_layers hidden_size_per_layer_input
    global_head_dim num_global_key_value_heads
    swa_num_key_value_heads swa_num_attention_heads swa_head_dim swa_v_head_dim rotary_dim
    n_embd n_head n_layer n_layers num_layers n_inner n_positions d_model ffn_dim ffn_hidden_size
    num_heads num_kv_heads n_head_kv attention_head_dim max_sequence_length
    """,
    flags="""
    attn_output_gate attention_bias qkv_bias enable_moe_block mlp_gated multi_query new_decoder_architecture
    """,
    numbers="partial_rotary_factor",
    texts="dtype hybrid_override_pattern mamba_ssm_dtype mamba_ssm_cache_dtype",
    lists="mlp_only_layers hybrid_layer_pattern layers_block_type",
    either="moe_layer_freq",
    mappings="rope_scaling rope_parameters",
)
FIELDS = _table(
    sizes="""
    num_hidden_layers hidden_size intermediate_size moe_intermediate_size num_attention_heads num_key_value_heads head_dim
    sliding_window num_kv_shared_layers kv_lora_rank q_lora_rank qk_nope_head_dim qk_rope_head_dim v_head_dim
    num_experts num_local_experts n_routed_experts num_experts_per_tok n_shared_experts shared_expert_intermediate_size
    first_k_dense_replace vocab_size max_position_embeddings
    """,
    flags="tie_word_embeddings",
    texts="model_type torch_dtype",
    lists="architectures layer_types",
    mappings="quantization_config",
)
"""The fields themselves, for where they stand in a `text_config`."""
TOWER = _table(
    sizes="""
    hidden_size vt_hidden_size embed_dim num_hidden_layers vt_num_hidden_layers depth
    intermediate_size vt_intermediate_size num_attention_heads vt_num_attention_heads num_heads qkv_hidden_size
    patch_size temporal_patch_size position_embedding_size init_pos_emb_height init_pos_emb_width
    num_position_embeddings image_size spatial_merge_size vision_output_dim projector_output_dim projector_input_dim
    """,
    flags="gated",
    numbers="pixel_shuffle_ratio",
    texts="model_type",
    lists="deepstack_visual_indexes",
)
QUANTIZATION = _table(
    sizes="w_bit q_group_size",
    flags="load_in_8bit",
    texts="kv_cache_quant_algo",
    lists="exclude_modules ignored_layers",
    mappings="quantized_layers",
    scheme="kv_cache_scheme",
)

WORDS: Mapping[Kind, str] = {
    "size": "a whole number",
    "number": "a number",
    "flag": "`true` or `false`",
    "text": "text",
    "list": "a list",
    "mapping": "a mapping",
    "size or list": "a whole number or a list",
    "text or mapping": "text or a mapping",
}


def fits(value: Any, kind: Kind) -> bool:
    """Tell whether a value is of a kind. null is of every one: it says that there is none."""
    return value is None or any(_is(value, each) for each in kind.split(" or "))


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "flag"
    types = {"size": int, "number": (int, float), "text": str, "list": list, "mapping": dict}
    return kind in types and isinstance(value, types[kind])  # type: ignore[arg-type]


def schema(keys: Mapping[str, Kind], unread: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return what a JSON Schema says of these keys, and of those that may stand beside them; no schema here has null."""
    found: dict[str, Any] = {"properties": {name: _SCHEMAS[kind] for name, kind in keys.items()}}
    if unread:
        found["patternProperties"] = {f"^({'|'.join(sorted(unread))})$": {}}
    return {**found, "additionalProperties": False}


_SCHEMAS: Mapping[Kind, dict[str, Any]] = {
    "size": {"type": "integer", "minimum": 0, "maximum": MOST},
    "number": {"type": "number"},
    "flag": {"type": "boolean"},
    "text": {"type": "string"},
    "list": {"type": "array"},
    "mapping": {"type": "object", "additionalProperties": True},
    "size or list": {"type": ["integer", "array"]},
    "text or mapping": {"type": ["string", "object"], "additionalProperties": True},
}

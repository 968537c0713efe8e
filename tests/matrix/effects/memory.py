"""Facts of a model that its memory alone rests on."""

from __future__ import annotations

from typing import Any

from effects.row import Row

#: A model that nobody knows but by these, on one card that does not hold as many requests as the engine would take.
DESCRIBED = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
}
SLIDING = {
    **DESCRIBED,
    "architectures": ["Gemma3ForCausalLM"],
    "layer_types": ["sliding_attention", "full_attention"] * 16,
    "sliding_window": 256,
}
EXPERTS = {
    **DESCRIBED,
    "architectures": ["Qwen2MoeForCausalLM"],
    "num_experts": 8,
    "moe_intermediate_size": 2048,
    "num_experts_per_tok": 2,
    "shared_expert_intermediate_size": 4096,
}
LATENT = {
    **DESCRIBED,
    "architectures": ["DeepseekV3ForCausalLM"],
    "num_hidden_layers": 61,
    "kv_lora_rank": 512,
    "q_lora_rank": 1536,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "n_routed_experts": 8,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 2048,
    "n_shared_experts": 1,
    "first_k_dense_replace": 1,
}
FULL_CARD = {
    "models.chat.source": {"hub": "org/m"},
    "models.chat.gpus.count": 1,
    "models.chat.concurrency": "auto",
}


def weighed(name: str, other: Any, described: dict[str, Any], context: int = 1024) -> tuple[str, Row]:
    """Return the row of a fact that becomes another: as many requests of the context as fit are taken."""
    at = "models.chat.architecture"
    given = {**FULL_CARD, "models.chat.context": context, at: described}
    return f"{at}.{name}", Row({f"{at}.{name}": other}, given)


def unquantized(name: str, before: str, after: str) -> tuple[str, Row]:
    config = {"quant_method": "fp8", name: [before]}
    return weighed(f"quantization_config.{name}", [after], {**DESCRIBED, "quantization_config": config})


ROWS: dict[str, Any] = dict(
    (
        weighed("tie_word_embeddings", True, DESCRIBED),
        weighed("layer_types", ["full_attention"] * 32, SLIDING),
        weighed("sliding_window", 32768, SLIDING, 65536),
        weighed("num_kv_shared_layers", 16, DESCRIBED),
        weighed("num_experts_per_tok", 8, EXPERTS),
        weighed("shared_expert_intermediate_size", 65536, EXPERTS),
        weighed("q_lora_rank", 16384, LATENT),
        weighed("qk_nope_head_dim", 1024, LATENT),
        weighed("qk_rope_head_dim", 512, LATENT),
        weighed("v_head_dim", 1024, LATENT),
        weighed("n_shared_experts", 8, LATENT),
        weighed("first_k_dense_replace", 60, LATENT),
        unquantized("ignore", "lm_head", "re:.*mlp.*"),
        unquantized("modules_to_not_convert", "lm_head", "mlp"),
    )
)

"""The architectures that are modelled, by the class that config.json names. What is not here is UNKNOWN.

Each row says only what config.json does not: transformers' own classes (5.19) and vLLM's models (0.33) are the source.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from llmdeploy.memory.contradictions import EXPERTS, PER_TOKEN

Names = tuple[str, ...]
"""One key of config.json, by all its names; the first is what the family calls it."""


class Family(Struct, frozen=True):
    """What all checkpoints of one architecture have in common."""

    name: str
    norms: int = 2
    """RMS norms of a layer, each of the hidden size."""
    bias: bool | None = None
    """Of queries, keys and values; None: as `attention_bias` says."""
    out_bias: bool = False
    gated: bool = True
    mlp_bias: bool = False
    tied: bool = False
    """Where config.json leaves `tie_word_embeddings` out."""
    headless: bool = False
    """No output layer: an embedding is what comes out."""
    query_norm: bool = False
    pattern: int = 0
    """Where there is no `layer_types`: every nth layer attends to everything, the others to a window; 1 is none of them."""
    window: Literal["sliding", "chunked"] = "sliding"
    rotary: bool = True
    positions: int | None = None
    """A learned table of positions, with so many rows more than the context."""
    latent: bool = False
    """Attention is latent, whatever config.json leaves out."""
    blocks: bool = False
    """A layer is one block alone: a mixer, an MLP or experts (Nemotron-H)."""
    sees: bool = False
    """It has a vision tower, which `vision_config` describes."""
    needs: tuple[Names, ...] = ()
    """Keys without which it would be weighed as another model: one of experts as a dense one."""


def _experts(many: str, width: str | None = "moe_intermediate_size") -> tuple[Names, ...]:
    """Return the keys of a class whose layers have experts, so many by this name, and each of this width."""
    number = (many, *(name for name in EXPERTS if name != many))
    return (number, PER_TOKEN, *([(width,)] if width else []))


_SHARED: tuple[Names, ...] = (("shared_expert_intermediate_size",),)
_WINDOW: tuple[Names, ...] = (("sliding_window",),)
_DELTA: tuple[Names, ...] = (
    ("full_attention_interval", "layer_types"),
    *(("linear_num_key_heads",), ("linear_num_value_heads",)),
    *(("linear_key_head_dim",), ("linear_value_head_dim",), ("linear_conv_kernel_dim",)),
)
_DEEPSEEK = (*_experts("n_routed_experts"), ("n_shared_experts", "num_shared_experts"))
_INDEXER: tuple[Names, ...] = (("index_head_dim",), ("index_n_heads",))


_LLAMA = Family("llama")
FAMILIES: dict[str, Family] = {
    "LlamaForCausalLM": _LLAMA,
    "MistralForCausalLM": Family("mistral", pattern=-1),
    "MistralModel": Family("mistral", pattern=-1, headless=True),
    "Mistral3ForConditionalGeneration": Family("mistral", sees=True),
    "LlavaForConditionalGeneration": Family("llava", sees=True),
    "PixtralForConditionalGeneration": Family("mistral", sees=True),
    "MixtralForCausalLM": Family("mixtral", needs=_experts("num_local_experts", "intermediate_size")),
    "Qwen2ForCausalLM": Family("qwen2", bias=True),
    "Qwen2MoeForCausalLM": Family("qwen2-moe", bias=True, needs=(*_experts("num_experts"), *_SHARED)),
    "Qwen2VLForConditionalGeneration": Family("qwen-vl", bias=True, sees=True),
    "Qwen2_5_VLForConditionalGeneration": Family("qwen-vl", bias=True, sees=True),
    "Qwen3ForCausalLM": Family("qwen3", query_norm=True),
    "Qwen3MoeForCausalLM": Family("qwen3-moe", query_norm=True, needs=_experts("num_experts")),
    "Qwen3VLForConditionalGeneration": Family("qwen-vl", query_norm=True, sees=True),
    "Qwen3VLMoeForConditionalGeneration": Family(
        "qwen-vl", query_norm=True, sees=True, needs=_experts("num_experts")
    ),
    "Qwen3NextForCausalLM": Family(
        "qwen3-next", query_norm=True, needs=(*_experts("num_experts"), *_SHARED, *_DELTA)
    ),
    "Qwen3_5ForConditionalGeneration": Family("qwen3.5", query_norm=True, sees=True, needs=_DELTA),
    "Qwen3_5MoeForConditionalGeneration": Family(
        "qwen3.5", query_norm=True, sees=True, needs=(*_experts("num_experts"), *_SHARED, *_DELTA)
    ),
    "Qwen3_5ForCausalLM": Family("qwen3.5", query_norm=True, needs=_DELTA),
    "Qwen3_5MoeForCausalLM": Family(
        "qwen3.5", query_norm=True, needs=(*_experts("num_experts"), *_SHARED, *_DELTA)
    ),
    "GemmaForCausalLM": Family("gemma", tied=True),
    "Gemma2ForCausalLM": Family("gemma", norms=4, tied=True, pattern=2, needs=_WINDOW),
    "Gemma3ForCausalLM": Family("gemma", norms=4, tied=True, pattern=6, query_norm=True, needs=_WINDOW),
    "Gemma3ForConditionalGeneration": Family(
        "gemma", norms=4, tied=True, pattern=6, query_norm=True, sees=True, needs=_WINDOW
    ),
    "Gemma4ForConditionalGeneration": Family(
        "gemma4", norms=4, tied=True, pattern=6, query_norm=True, sees=True, needs=_WINDOW
    ),
    "Gemma4ForCausalLM": Family("gemma4", norms=4, tied=True, pattern=6, query_norm=True, needs=_WINDOW),
    "PhiForCausalLM": Family("phi", norms=2, bias=True, out_bias=True, gated=False, mlp_bias=True),
    "Phi3ForCausalLM": Family("phi", pattern=-1),
    "GptOssForCausalLM": Family(
        "gpt-oss",
        bias=True,
        out_bias=True,
        pattern=2,
        needs=(*_experts("num_local_experts", "intermediate_size"), *_WINDOW),
    ),
    "DeepseekV2ForCausalLM": Family("deepseek", latent=True, needs=_DEEPSEEK),
    "DeepseekV3ForCausalLM": Family("deepseek", latent=True, needs=_DEEPSEEK),
    "DeepseekV32ForCausalLM": Family("deepseek", latent=True, needs=(*_DEEPSEEK, *_INDEXER)),
    "KimiVLForConditionalGeneration": Family("kimi", latent=True, sees=True, needs=_DEEPSEEK),
    "KimiK25ForConditionalGeneration": Family("kimi", latent=True, sees=True, needs=_DEEPSEEK),
    "GlmMoeDsaForCausalLM": Family("glm", latent=True, needs=(*_DEEPSEEK, *_INDEXER)),
    "Glm4ForCausalLM": Family("glm", norms=4),
    "Glm4MoeForCausalLM": Family("glm", query_norm=True, needs=_DEEPSEEK),
    "MiniMaxM2ForCausalLM": Family(
        "minimax", query_norm=True, needs=_experts("num_local_experts", "intermediate_size")
    ),
    "GraniteForCausalLM": Family("granite"),
    "GraniteMoeHybridForCausalLM": Family("granite-hybrid", needs=(("layer_types", "layers_block_type"),)),
    "Llama4ForConditionalGeneration": Family(
        "llama4",
        pattern=4,
        window="chunked",
        sees=True,
        needs=(*_experts("num_local_experts", "intermediate_size"), ("attention_chunk_size",)),
    ),
    "MiMoForCausalLM": Family("mimo", bias=True),
    "MiMoV2FlashForCausalLM": Family(
        "mimo-v2",
        needs=(*_experts("n_routed_experts"), ("hybrid_layer_pattern",), ("swa_num_key_value_heads",)),
    ),
    "NemotronHForCausalLM": Family("nemotron-h", blocks=True, gated=False),
    "NemotronForCausalLM": Family("nemotron", gated=False),
    "OlmoForCausalLM": Family("olmo", norms=0),
    "Olmo2ForCausalLM": Family("olmo", query_norm=True),
    "Olmo3ForCausalLM": Family("olmo", query_norm=True, pattern=4, needs=_WINDOW),
    "CohereForCausalLM": Family("cohere", norms=1, tied=True),
    "Cohere2ForCausalLM": Family("cohere", norms=1, tied=True, pattern=4, needs=_WINDOW),
    "FalconForCausalLM": Family("falcon", norms=2, gated=False, tied=True),
    "Starcoder2ForCausalLM": Family(
        "starcoder2", norms=4, bias=True, out_bias=True, gated=False, mlp_bias=True, tied=True, pattern=-1
    ),
    "OPTForCausalLM": Family(
        "opt",
        norms=4,
        bias=True,
        out_bias=True,
        gated=False,
        mlp_bias=True,
        tied=True,
        positions=2,
        rotary=False,
    ),
    "GPT2LMHeadModel": Family(
        "gpt2",
        norms=4,
        bias=True,
        out_bias=True,
        gated=False,
        mlp_bias=True,
        tied=True,
        positions=0,
        rotary=False,
    ),
    "BloomForCausalLM": Family(
        "bloom", norms=4, bias=True, out_bias=True, gated=False, mlp_bias=True, tied=True, rotary=False
    ),
    "LlamaForCausalLMEagle3": _LLAMA,
    "EagleLlamaForCausalLM": _LLAMA,
    "Eagle3LlamaForCausalLM": _LLAMA,
    "InternLM2ForCausalLM": _LLAMA,
    "InternLM3ForCausalLM": _LLAMA,
    "BaichuanForCausalLM": _LLAMA,
    "YiForCausalLM": _LLAMA,
    "AquilaForCausalLM": _LLAMA,
    "SmolLM3ForCausalLM": Family("llama", tied=True),
    "SeedOssForCausalLM": Family("seed-oss"),
    "Exaone4ForCausalLM": Family("exaone", query_norm=True, pattern=4, needs=_WINDOW),
}

"""Facts of a model that llm.yaml states: they change what is refused."""

from __future__ import annotations

from typing import Any

from effects.row import Row

AT = "models.chat.architecture"

SEES = {"architectures": ["Qwen2_5_VLForConditionalGeneration"]}
THIRDS = {"num_attention_heads": 6, "num_key_value_heads": 3, "intermediate_size": 192}
#: 28 heads over four GPUs, in groups of 128.
GROUPED = {
    "num_experts": 8,
    "moe_intermediate_size": 512,
    "num_attention_heads": 28,
    "quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128},
}
FP8, GPTQ, MXFP4, COMPRESSED = (
    {"quantization_config": {"quant_method": method}}
    for method in ("fp8", "gptq", "mxfp4", "compressed-tensors")
)
WEIGHTS = {"num_bits": 4, "type": "int", "group_size": 128}
COARSE = {**WEIGHTS, "group_size": 1024}

UNKNOWN = {"models.chat.source": {"hub": "org/m"}}
SGLANG = {"models.chat.engine": "sglang", "models.chat.engine_version": None}
EXPERT = {"models.chat.parallel": {"expert": True}, **SGLANG}


def fact(
    name: str,
    before: Any,
    after: Any,
    beside: dict[str, Any] | None = None,
    given: dict[str, Any] | None = None,
) -> tuple[str, Row]:
    """Return the row of a fact with others `beside` it, in an llm.yaml in which `given` holds as well."""
    return f"{AT}.{name}", Row(
        {f"{AT}.{name}": after}, {AT: beside or {}, f"{AT}.{name}": before, **(given or {})}
    )


def quantized(name: str, before: Any, after: Any, config: dict[str, Any]) -> tuple[str, Row]:
    return fact(f"quantization_config.{name}", before, after, {**GROUPED, **config})


ROWS: dict[str, Any] = dict(
    (
        fact("model_type", "llama", "gemma2", given={"models.chat.dtype": "float16"}),
        fact("torch_dtype", "bfloat16", "float16", MXFP4),
        fact("architectures", ["Other"], SEES["architectures"], {"vision_config": {"num_heads": 6}}),
        fact("vision_config", {"num_heads": 8}, {"num_heads": 6}, SEES),
        fact("text_config", {"num_attention_heads": 1024}, {"num_attention_heads": 1022}),
        fact("num_hidden_layers", 28, 1, given={"models.chat.parallel": {"pipeline": 2}}),
        fact("intermediate_size", 1024, 1022),
        fact("num_attention_heads", 1024, 1022),
        fact("vocab_size", 192, 128, THIRDS, {"models.chat.gpus.count": 3}),
        fact("num_key_value_heads", 4, 7),
        fact("kv_lora_rank", 512, None, {"num_key_value_heads": 7}),
        fact("head_dim", 128, 16, GROUPED, UNKNOWN),
        fact("hidden_size", 28 * 128, 28 * 16, GROUPED, UNKNOWN),
        fact("moe_intermediate_size", 512, 256, GROUPED, UNKNOWN),
        fact("num_experts", 8, 6, given=EXPERT),
        fact("num_local_experts", 8, 6, given=EXPERT),
        fact("n_routed_experts", 8, 6, given=EXPERT),
        fact("max_position_embeddings", 8192, 4096),
        quantized("quant_method", "awq", "bitsandbytes", {"quantization_config": {}}),
        quantized("group_size", 128, 1024, {"quantization_config": {"quant_method": "gptq", "bits": 4}}),
        quantized("weight_block_size", [128, 128], [1024, 1024], FP8),
        quantized("config_groups", {"a": {"weights": WEIGHTS}}, {"a": {"weights": COARSE}}, COMPRESSED),
        fact("quantization_config.quant_algo", "NVFP4", "FP8", given={"models.chat.quantization": "nvfp4"}),
        fact("quantization_config.bits", 4, 8, GPTQ, {"models.chat.quantization": "int4"}),
    )
)

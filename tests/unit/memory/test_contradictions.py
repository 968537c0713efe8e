"""Facts that contradict themselves are found, and never computed; those of real models do not."""

from __future__ import annotations

from typing import Any

import pytest

from llmdeploy.catalog import configs
from llmdeploy.catalog.configs import config as known
from llmdeploy.catalog.rows import rows
from llmdeploy.facts.kinds import misstated
from llmdeploy.memory import Card, Drafter, Ledger, Model, Question, Tensor, Verdict
from llmdeploy.memory.contradictions import contradictions
from llmdeploy.memory.crosscheck import doubt
from llmdeploy.registry import ENGINES

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 4,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 512,
    "max_position_embeddings": 4096,
}
CARD = Card("nvidia", 79.18, "h100-sxm-80gb", "", "9.0")


def ask(config: dict[str, Any], engine: str = "vllm", **more: Any) -> Ledger:
    return ENGINES.get(engine).memory(Question(engine, None, Model("m", "", config), CARD, **more))


@pytest.mark.parametrize("hub_id", [row["id"] for row in rows("configs")])
def test_what_the_catalog_says_of_a_model_contradicts_nothing(hub_id: str) -> None:
    found = configs.config(hub_id)
    assert found is not None
    assert list(contradictions(found.config)) == []
    assert list(misstated(found.config)) == []


@pytest.mark.parametrize(
    ("stated", "key"),
    [
        ({"layer_types": ["full_attention"] * 3}, "layer_types"),
        ({"layer_types": [*["full_attention"] * 3, "none"]}, "layer_types"),
        ({"layers_block_type": ["attention"] * 3}, "layers_block_type"),
        ({"moe_layer_freq": [0, 1]}, "moe_layer_freq"),
        ({"num_kv_shared_layers": 4}, "num_kv_shared_layers"),
        ({"hybrid_override_pattern": "M*-"}, "hybrid_override_pattern"),
        ({"hybrid_override_pattern": "M*-X"}, "hybrid_override_pattern"),
        ({"num_key_value_heads": 3}, "num_key_value_heads"),
        ({"hidden_size": 66}, "hidden_size"),
        ({"num_experts": 2, "num_experts_per_tok": 3}, "num_experts_per_tok"),
        (
            {"quantization_config": {"quant_method": "gptq", "group_size": 0}},
            "quantization_config.group_size",
        ),
        (
            {"quantization_config": {"quant_method": "awq", "q_group_size": 48}},
            "quantization_config.q_group_size",
        ),
        ({"quantization_config": {"config_groups": {}}}, "quantization_config.config_groups"),
        ({"quantization_config": {"config_groups": {"g": 3}}}, "quantization_config.config_groups.g"),
    ],
)
@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
def test_a_contradiction_is_named_and_not_computed(engine: str, stated: dict[str, Any], key: str) -> None:
    (found,) = contradictions({**LLAMA, **stated})
    assert found.keys[0] == key and found.help
    ledger = ask({**LLAMA, **stated}, engine)
    assert (ledger.verdict, ledger.reason) == (Verdict.UNKNOWN, f"contradiction: {found.text}")
    assert not ledger.ranks


@pytest.mark.parametrize(
    "stated",
    [
        {"layer_types": ["full_attention"] * 5},
        {"num_kv_shared_layers": 3},
        {"hidden_size": 66, "head_dim": 16},
        {"num_experts": 2, "num_experts_per_tok": 2, "moe_intermediate_size": 32},
        {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": -1}},
        {"quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 32}},
    ],
)
def test_a_near_miss_is_computed(stated: dict[str, Any]) -> None:
    assert list(contradictions({**LLAMA, **stated})) == []
    assert ask({**LLAMA, **stated}).verdict is Verdict.FITS


@pytest.mark.parametrize(
    "lacking", ["kv_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim", "num_attention_heads"]
)
def test_latent_attention_without_one_of_its_sizes_is_not_taken_for_another(lacking: str) -> None:
    row = known("deepseek-ai/DeepSeek-V3")
    assert row is not None
    ledger = ask({key: value for key, value in row.config.items() if key != lacking})
    assert ledger.verdict is Verdict.UNKNOWN
    assert ledger.reason is not None and f"does not state `{lacking}`" in ledger.reason


def test_a_kind_of_layer_that_is_not_modelled_is_not_taken_for_attention() -> None:
    ledger = ask({**LLAMA, "layer_types": [*["full_attention"] * 3, "conv"]})
    assert ledger.reason == "architecture: layers of `conv` are not modelled"


def test_a_width_that_is_not_stated_is_not_guessed() -> None:
    stated = {key: value for key, value in LLAMA.items() if key != "intermediate_size"}
    assert ask(stated).reason == "config: config.json does not state `intermediate_size`"


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({}, "drafter: no config.json of `d` is known; read it with `--online`, or name a local copy"),
        ({**LLAMA, "architectures": ["X"]}, "drafter: `d`: architecture: `X` is not modelled"),
        (
            {**LLAMA, "num_kv_shared_layers": 4},
            "drafter: `d`: contradiction: 4 of 4 layers read the KV cache of an earlier one "
            "(`num_kv_shared_layers`), and none has its own",
        ),
    ],
)
def test_what_is_not_known_of_a_drafter_is_said_of_the_drafter(config: dict[str, Any], reason: str) -> None:
    assert ask(LLAMA, drafter=Drafter("draft", 3, Model("d", "", config))).reason == reason


def tensors(layers: int = 4, hidden: int = 64) -> dict[str, Tensor]:
    shapes = {"model.embed_tokens.weight": (512, hidden), "lm_head.weight": (512, hidden)}
    for layer in range(layers):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.self_attn.{name}_proj.weight": (hidden, hidden) for name in "qo"}
        shapes |= {f"{at}.self_attn.{name}_proj.weight": (hidden // 2, hidden) for name in "kv"}
        shapes |= {f"{at}.mlp.{name}_proj.weight": (128, hidden) for name in ("gate", "up")}
        shapes |= {f"{at}.mlp.down_proj.weight": (hidden, 128)}
    return {name: Tensor("BF16", shape) for name, shape in shapes.items()}


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (tensors(3), "config.json states 4 layers, and the weights lack layer 3"),
        (tensors(1), "config.json states 4 layers, and the weights lack 3 of them, layer 1 first"),
        (
            tensors(hidden=32),
            "`model.embed_tokens.weight` is 512 × 32, and by `vocab_size` and `hidden_size` it would be 512 × 64",
        ),
        (
            {"a": Tensor("F32", (1,))},
            "the weights take 2 bytes, and what config.json describes takes 427,136 bytes",
        ),
        (
            {**tensors(), "model.layers.2.self_attn.k_proj.weight": Tensor("BF16", (64, 64))},
            "`model.layers.2.self_attn.k_proj.weight` is 64 × 64, and by config.json it would be 32 × 64",
        ),
        (
            {**tensors(), "more": Tensor("BF16", (4096, 64))},
            "the weights take 950,272 bytes, and what config.json describes takes 427,136 bytes",
        ),
    ],
)
def test_weights_that_are_not_those_of_the_config_are_doubted(found: dict[str, Tensor], why: str) -> None:
    model = Model("m", "", LLAMA, found)
    assert doubt(model) == why
    model = Model("m", "", LLAMA, found, doubt=why)
    ledger = ENGINES.get("vllm").memory(Question("vllm", None, model, CARD))
    assert (ledger.verdict, ledger.reason) == (Verdict.UNKNOWN, f"contradiction: {why}")


@pytest.mark.parametrize(
    "found",
    [
        tensors(),
        {f"language_model.{name}": tensor for name, tensor in tensors().items()},
        {**tensors(), "model.vision_tower.layers.0.self_attn.k_proj.weight": Tensor("BF16", (9, 9))},
        {**tensors(), "model.layers.4.eh_proj.weight": Tensor("BF16", (64, 128))},
        {**tensors(), "model.layers.0.self_attn.rotary_emb.inv_freq": Tensor("F32", (8,))},
        {name: Tensor("F32", tensor.shape) for name, tensor in tensors().items()},
    ],
)
def test_weights_with_more_than_the_config_tells_of_are_believed(found: dict[str, Tensor]) -> None:
    assert doubt(Model("m", "", LLAMA, found)) is None


def test_weights_of_an_architecture_that_is_not_modelled_are_not_judged() -> None:
    assert doubt(Model("m", "", {**LLAMA, "architectures": ["X"]}, {"a": Tensor("F32", (1,))})) is None


@pytest.mark.parametrize(
    "stated",
    [
        {"rope_scaling": {"rope_type": "linear", "factor": float("inf")}},
        {"rope_scaling": {"rope_type": "linear", "factor": 1e-9}},
        {"rope_scaling": {"rope_type": "yarn", "factor": 1e30}},
        {"quantization_config": {"quant_method": "fp8", "ignore": ["re:["]}},
    ],
    ids=["endless", "no length", "no such length", "no pattern"],
)
@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
def test_what_makes_no_sense_is_unknown_and_no_figure(stated: dict[str, Any], engine: str) -> None:
    ledger = ask({**LLAMA, **stated}, engine, context=1024)
    assert ledger.verdict is Verdict.UNKNOWN
    assert ledger.reason and ledger.reason.startswith(("config: ", "quantization: "))


def test_a_rope_of_another_shape_is_as_none() -> None:
    assert ask({**LLAMA, "rope_parameters": {"full_attention": 5}}, context=1024).verdict is Verdict.FITS


@pytest.mark.parametrize(
    ("hub_id", "window"),
    [
        ("mistralai/Mistral-7B-Instruct-v0.1", 4096),
        ("mistralai/Mistral-7B-Instruct-v0.3", None),
        ("mistralai/Mistral-Nemo-Instruct-2407", None),
        ("mistralai/Mistral-Large-Instruct-2411", None),
    ],
)
def test_a_model_of_the_catalog_has_its_own_window_and_not_that_of_its_class(
    hub_id: str, window: int | None
) -> None:
    found = configs.config(hub_id)
    assert found is not None and "sliding_window" in found.config
    assert found.config["sliding_window"] == window

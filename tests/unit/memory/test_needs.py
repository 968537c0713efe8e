"""A class without the keys that make it what it is, is not weighed as another."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from llmdeploy.catalog.configs import config
from llmdeploy.memory.architecture import shape
from llmdeploy.memory.config import Config
from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.families import FAMILIES
from llmdeploy.memory.needs import lacking

ROWS = json.loads((files("llmdeploy.catalog") / "configs.json").read_text())


def known(name: str) -> dict[str, Any]:
    row = config(name)
    assert row
    return dict(row.config)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Qwen/Qwen3-30B-A3B", "num_experts"),
        ("Qwen/Qwen3-30B-A3B", "moe_intermediate_size"),
        ("Qwen/Qwen3-30B-A3B", "num_experts_per_tok"),
        ("Qwen/Qwen1.5-MoE-A2.7B", "shared_expert_intermediate_size"),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "num_local_experts"),
        ("openai/gpt-oss-20b", "sliding_window"),
        ("deepseek-ai/DeepSeek-V3", "n_routed_experts"),
        ("deepseek-ai/DeepSeek-V3", "kv_lora_rank"),
        ("deepseek-ai/DeepSeek-V3.2", "index_head_dim"),
        ("zai-org/GLM-5", "index_n_heads"),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", "linear_num_value_heads"),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", "full_attention_interval"),
        ("Qwen/Qwen3.5-27B", "linear_conv_kernel_dim"),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "attention_chunk_size"),
        ("google/gemma-3-27b-it", "vision_config"),
        ("Qwen/Qwen3-VL-8B-Instruct", "vision_config"),
        ("moonshotai/Kimi-K2.5", "vision_config"),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "n_routed_experts"),
        ("XiaomiMiMo/MiMo-V2-Flash", "swa_num_key_value_heads"),
    ],
)
def test_a_key_that_makes_the_class_is_named_where_it_is_missing(name: str, key: str) -> None:
    stated = known(name)
    shape(stated)
    del stated[key]
    if key == "full_attention_interval":
        stated.pop("layer_types", None)
    with pytest.raises(UnmodelledError, match=f"does not state .*`{key}`"):
        shape(stated)


def test_all_that_is_missing_is_named_at_once() -> None:
    stated = known("Qwen/Qwen3-Next-80B-A3B-Instruct")
    for key in ("num_experts", "linear_key_head_dim"):
        del stated[key]
    with pytest.raises(UnmodelledError, match="`num_experts`, `linear_key_head_dim`"):
        shape(stated)


def test_a_tower_without_its_width_is_none() -> None:
    stated = known("google/gemma-3-27b-it") | {"vision_config": {"num_heads": 6}}
    with pytest.raises(UnmodelledError, match=r"`vision_config.hidden_size`"):
        shape(stated)


def test_a_value_that_is_no_size_is_not_what_lacks() -> None:
    stated = known("google/gemma-3-27b-it") | {"vision_config": {"hidden_size": "wide"}}
    assert lacking(stated) == ("", ())


def test_a_few_facts_are_no_description() -> None:
    assert lacking({"architectures": ["Qwen3MoeForCausalLM"], "num_attention_heads": 32}) == ("", ())


def test_null_says_that_there_is_none() -> None:
    stated = known("Qwen/Qwen3-30B-A3B") | {"num_experts": None}
    assert shape(stated).moe is None


def test_a_window_that_transformers_leaves_out_is_not_missing() -> None:
    stated = known("google/gemma-2-9b-it") | {"model_type": "gemma2"}
    stated.pop("sliding_window", None)
    assert shape(stated).layers[0].cache.window == 4096  # type: ignore[union-attr]


def test_every_class_that_needs_keys_is_held_against_a_real_config() -> None:
    seen = {
        name for row in ROWS if (stated := config(row["id"])) for name in Config(stated.config).architectures
    }
    needing = {name for name, family in FAMILIES.items() if family.needs or family.sees}
    assert needing & seen, "no class of the catalog needs anything"
    for row in ROWS:
        stated = config(row["id"])
        names = Config(stated.config).architectures if stated else ()
        if stated and needing.intersection(names):
            try:
                shape(stated.config)
            except UnmodelledError as stop:
                assert "does not state" not in str(stop), row["id"]

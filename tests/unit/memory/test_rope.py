"""How far a model reaches: for checks and for the ledger it is the same, and what engines say of the same config.json."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from llmdeploy.facts import config as facts
from llmdeploy.memory import Card, Model, Question, rope
from llmdeploy.memory.config import Config
from llmdeploy.registry import ENGINES

BASE = {
    **{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "head_dim": 16},
    **{"num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 128, "max_position_embeddings": 256},
}
LONG = {"rope_scaling": {"rope_type": "longrope", "factor": 4}, "original_max_position_embeddings": 64}
LINEAR = {"rope_type": "linear", "factor": 4}


@pytest.mark.parametrize(
    ("stated", "reach"),
    [
        ({}, 256),
        ({"rope_scaling": None}, 256),
        ({"rope_scaling": LINEAR}, 1024),
        ({"rope_parameters": LINEAR}, 1024),
        ({"rope_scaling": {"type": "dynamic", "factor": 4}}, 1024),
        ({"rope_scaling": {"rope_type": "linear", "factor": 0.5}}, 128),
        ({"rope_scaling": {"rope_type": "linear", "factor": None}}, 256),
        ({"rope_scaling": {"rope_type": "default", "factor": 4}}, 1024),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 4}}, 256),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4}}, 256),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 256}}, 256),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 64}}, 256),
        ({"rope_scaling": {"rope_type": "deepseek_yarn", "factor": 4}}, 256),
        ({"rope_scaling": LINEAR, "model_type": "gemma3_text"}, 256),
    ],
)
def test_the_longest_context_is_what_vllm_0_33_derives(stated: dict[str, Any], reach: int) -> None:
    """Each was put to `ModelConfig` of vLLM 0.32 and 0.33."""
    config = {**BASE, **stated}
    read = facts.facts(config, "m")
    assert read is not None
    assert rope.context(Config(config)) == read.max_context == facts.stated(config)["max_context"] == reach


@pytest.mark.parametrize(("engine", "context"), [("vllm", 64), ("sglang", 256)], ids=["vllm", "sglang"])
def test_of_a_longrope_vllm_takes_the_length_before_it_by_itself(engine: str, context: int) -> None:
    """Put to `ModelConfig` of vLLM 0.33: 64 tokens where none are stated, and 256 where they are."""
    model = Model("m", "", {**BASE, **LONG, "intermediate_size": 128})
    asked = Question(engine, None, model, Card("nvidia", 79.18, "h100-sxm-80gb", "", "9.0"))
    assert ENGINES.get(engine).memory(asked).context == context
    assert ENGINES.get(engine).memory(replace(asked, context=256)).context == 256
    read = facts.facts(dict(model.config), "m")
    assert read is not None and (read.max_context, read.unscaled_context) == (256, 64)


def test_a_part_for_language_reaches_as_far_alone() -> None:
    read = facts.facts({"text_config": {**BASE, "rope_scaling": LINEAR}}, "m")
    assert read is not None and read.max_context == 1024


@pytest.mark.parametrize("factor", [float("inf"), 1e30, 1e-9])
def test_what_makes_no_length_is_no_fact(factor: float) -> None:
    read = facts.facts({**BASE, "rope_scaling": {"rope_type": "linear", "factor": factor}}, "m")
    assert read is not None and read.max_context is None


def test_the_rotated_part_of_a_head_is_read_where_transformers_5_saves_it() -> None:
    """Source: transformers 5.20, modeling_rope_utils.py (standardize_rope_params)."""
    half = {"partial_rotary_factor": 0.5}
    for stated in (half, {"rope_parameters": {"rope_type": "default", **half}}):
        assert rope.elements(Config({**BASE, **stated}), 16) == 256 * 8

"""A config.json may hold anything: the answer is a ledger, whatever it says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmdeploy.catalog.configs import config
from llmdeploy.memory import Card, Ledger, Question, Split, Verdict
from llmdeploy.memory.model import Model
from llmdeploy.registry import ENGINES

NAMES = (
    *("meta-llama/Llama-3.1-8B-Instruct", "deepseek-ai/DeepSeek-V3.2", "google/gemma-3-27b-it"),
    *("nvidia/Qwen3.6-35B-A3B-NVFP4", "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4", "moonshotai/Kimi-K2.5"),
    *("openai/gpt-oss-20b", "meta-llama/Llama-4-Maverick-17B-128E-Instruct", "Qwen/Qwen3-VL-8B-Instruct"),
)
KEYS = sorted({key for name in NAMES if (found := config(name)) is not None for key in found.config})
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
@given(st.sampled_from(NAMES), st.dictionaries(st.sampled_from(KEYS), JUNK, max_size=4))
@settings(max_examples=150, deadline=None)
def test_any_config_has_an_answer(engine: str, name: str, junk: dict[str, Any]) -> None:
    known = config(name)
    assert known is not None
    card = Card("nvidia", 79.18, "h100-sxm-80gb", "", "9.0")
    asked = Question(engine, None, Model(name, "", {**known.config, **junk}), card, Split(2))
    found = ENGINES.get(engine).memory(asked)
    assert isinstance(found, Ledger)
    assert found.reason is not None or found.verdict is not Verdict.UNKNOWN


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
@pytest.mark.parametrize(
    "stated", [{}, {"architectures": "LlamaForCausalLM"}, {"text_config": {"text_config": {}}}]
)
def test_a_config_that_says_nothing_is_unknown(engine: str, stated: dict[str, Any]) -> None:
    found = ENGINES.get(engine).memory(Question(engine, None, Model("x", "", stated), Card("nvidia", 80.0)))
    assert (found.verdict, found.reason) == (
        Verdict.UNKNOWN,
        "architecture: config.json names no architecture, and its `model_type` tells of none; "
        "state it under `architecture`, like `architectures: [LlamaForCausalLM]`",
    )


@pytest.mark.parametrize(
    ("stated", "reason"),
    [
        ({"num_hidden_layers": 2**30}, "config: 1073741824 layers are more than any model has"),
        ({"num_nextn_predict_layers": 2**30}, "config: 1073741824 layers are more than any model has"),
        ({"num_hidden_layers": 0.5}, "config: `num_hidden_layers` of config.json is no size: '0.5'"),
        ({"hidden_size": -1}, "config: `hidden_size` of config.json is no size: '-1'"),
        ({"vocab_size": None}, "config: config.json does not state `vocab_size`"),
    ],
)
def test_a_number_that_no_model_has_is_refused_before_anything_is_built(
    stated: dict[str, Any], reason: str
) -> None:
    known = config("deepseek-ai/DeepSeek-V3")
    assert known is not None
    asked = Question("vllm", None, Model("x", "", {**known.config, **stated}), Card("nvidia", 80.0))
    found = ENGINES.get("vllm").memory(asked)
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, reason)

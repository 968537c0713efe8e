"""The cache of latent attention with an index (DSA): in fp8 it has scales and 16-bit parts on most cards."""

from __future__ import annotations

from typing import Any

import pytest

from llmdeploy.memory import Ledger, Question, Split
from llmdeploy.registry import ENGINES
from tests.unit.memory.test_vllm import card, model

V32, GLM = "deepseek-ai/DeepSeek-V3.2", "zai-org/GLM-5-FP8"
NEWEST = {"vllm": "0.33", "sglang": "0.5.23"}
INDEX, LAYERS = 132, 61
PACKED, PLAIN, HALF = 656, 576, 1152


def ask(engine: str, name: str = V32, on: str = "h200", version: str | None = None, **stated: Any) -> Ledger:
    asked = Question(
        engine, version or NEWEST[engine], model(name), card(on), Split(8), context=8192, **stated
    )
    return ENGINES.get(engine).memory(asked)


@pytest.mark.parametrize(
    ("engine", "on", "kv_dtype", "latent"),
    [
        ("vllm", "h200", "fp8", PACKED),
        ("vllm", "h200", "fp8_e4m3", PACKED),
        ("vllm", "h200", "auto", HALF),
        ("vllm", "b200", "fp8", PLAIN),
        ("vllm", "b200", "auto", HALF),
        ("vllm", "rtx-pro-6000", "auto", PACKED),
        ("vllm", "mi300x", "fp8", PLAIN),
        ("sglang", "h200", "fp8", PACKED),
        ("sglang", "h200", "auto", HALF),
        ("sglang", "b200", "fp8", PLAIN),
        ("sglang", "b200", "auto", PLAIN),
        ("sglang", "mi300x", "fp8", PLAIN),
    ],
)
def test_a_token_takes_the_bytes_of_the_format_that_the_card_has(
    engine: str, on: str, kv_dtype: str, latent: int
) -> None:
    assert ask(engine, on=on, kv_dtype=kv_dtype).bytes_per_token == LAYERS * (latent + INDEX)


def test_of_a_release_that_was_not_read_the_larger_format_is_taken() -> None:
    assert ask("vllm", on="b200", version="0.31", kv_dtype="fp8").bytes_per_token == LAYERS * (PACKED + INDEX)
    assert ask("sglang", on="b200", version="0.5.12").bytes_per_token == LAYERS * (HALF + INDEX)


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_latent_attention_without_an_index_has_no_scales(engine: str) -> None:
    assert ask(engine, "deepseek-ai/DeepSeek-R1", kv_dtype="fp8").bytes_per_token == LAYERS * PLAIN


def test_another_architecture_with_an_index_has_the_same_format() -> None:
    plain, packed = (ask("vllm", GLM, kv_dtype=dtype).bytes_per_token for dtype in ("auto", "fp8"))
    assert plain is not None and packed is not None
    assert (plain - packed) % (HALF - PACKED) == 0 and packed * (HALF + INDEX) == plain * (PACKED + INDEX)

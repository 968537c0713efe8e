"""Real architectures, as transformers builds them, are those of their config.json; a part of one is not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
from support.tiny import ENGINE
from support.tools import ROOT, engine_python

from llmdeploy.catalog import configs
from llmdeploy.memory import Model, Tensor
from llmdeploy.memory.crosscheck import doubt

pytestmark = pytest.mark.xdist_group("vllm-0.32")

#: One of each family that transformers knows.
NAMES = (
    *(
        "deepseek-ai/DeepSeek-V2-Lite-Chat",
        "deepseek-ai/DeepSeek-V3",
        "facebook/opt-125m",
        "google/gemma-2-2b-it",
    ),
    *("google/gemma-3-4b-it", "google/gemma-7b", "ibm-granite/granite-3.1-2b-instruct", "microsoft/phi-2"),
    *(
        "meta-llama/Llama-3.1-8B",
        "meta-llama/Llama-4-Scout-17B-16E-Instruct",
        "microsoft/Phi-4-mini-instruct",
    ),
    *(
        "mistralai/Mistral-7B-Instruct-v0.3",
        "mistralai/Mistral-Small-3.2-24B-Instruct-2506",
        "openai/gpt-oss-20b",
    ),
    *("mistralai/Mixtral-8x7B-v0.1", "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "MiniMaxAI/MiniMax-M2.5"),
    *(
        "Qwen/Qwen1.5-MoE-A2.7B",
        "Qwen/Qwen2.5-7B-Instruct",
        "Qwen/Qwen3-30B-A3B",
        "Qwen/Qwen3-VL-2B-Instruct",
    ),
    *("Qwen/Qwen3-Next-80B-A3B-Instruct", "Qwen/Qwen3.5-27B", "zai-org/GLM-4.5", "zai-org/GLM-5"),
)


def plain(name: str) -> dict[str, Any]:
    """The config without its quantization: transformers makes a model of whole numbers."""
    row = configs.config(name)
    assert row is not None
    return {
        key: value
        for key, value in row.config.items()
        if key not in ("quantization_config", "hf_quant_config")
    }


@pytest.fixture(scope="module")
def made() -> dict[str, dict[str, Tensor]]:
    done = subprocess.run(
        [engine_python(ENGINE), ROOT / "tests/support/inside_transformers.py"],
        input=json.dumps([plain(name) for name in NAMES]),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == len(NAMES), done.stderr[-2000:]
    return {
        name: {key: Tensor("BF16", tuple(shape)) for key, shape in line.items()}
        for name, line in zip(NAMES, lines, strict=True)
    }


def doubted(name: str, tensors: Mapping[str, Tensor], **config: Any) -> str | None:
    return doubt(Model(name, "", {**plain(name), **config}, tensors))


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_model_is_not_doubted_and_half_of_it_is(
    made: dict[str, dict[str, Tensor]], name: str
) -> None:
    tensors = made[name]
    assert doubted(name, tensors) is None
    half = dict(list(tensors.items())[: len(tensors) // 2])
    assert doubted(name, half) is not None
    halved = {key: Tensor("BF16", (*t.shape[:-1], t.shape[-1] // 2)) for key, t in tensors.items()}
    assert doubted(name, halved) is not None

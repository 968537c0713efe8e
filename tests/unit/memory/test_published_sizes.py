"""What the catalog states of a checkpoint adds up to the size that its makers publish."""

from __future__ import annotations

import pytest

from llmdeploy.catalog.configs import config
from llmdeploy.memory.architecture import shape
from llmdeploy.memory.model import Split
from llmdeploy.memory.scheme import scheme
from llmdeploy.memory.shape import Shape
from llmdeploy.memory.weights import Loading, weigh


def parameters(made: Shape) -> int:
    parts = [part for layer in made.layers for part in layer.parts]
    parts += [made.embedding, *made.ends, *made.last, *([made.head] if made.head else [])]
    return sum(part.out * part.into * part.count for part in parts)


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        # As the model cards, and the Hub beside them, count.
        ("meta-llama/Llama-3.2-1B-Instruct", 1.23),
        ("meta-llama/Llama-3.2-3B", 3.21),
        ("meta-llama/Meta-Llama-3-8B-Instruct", 8.03),
        ("meta-llama/Meta-Llama-3-70B-Instruct", 70.6),
        ("meta-llama/Llama-3.1-405B-Instruct", 406),
        ("mistralai/Mistral-7B-Instruct-v0.2", 7.24),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", 46.7),
        ("mistralai/Mixtral-8x22B-Instruct-v0.1", 141),
        ("mistralai/Ministral-8B-Instruct-2410", 8.019_808_256),
        ("mistralai/Mistral-Nemo-Instruct-2407", 12.2),
        ("mistralai/Mistral-Small-24B-Instruct-2501", 23.6),
        ("mistralai/Mistral-Large-Instruct-2411", 123),
        ("Qwen/Qwen2.5-0.5B-Instruct", 0.49),
        ("Qwen/Qwen2.5-Coder-1.5B-Instruct", 1.54),
        ("Qwen/Qwen2.5-3B-Instruct", 3.09),
        ("Qwen/Qwen2.5-Coder-7B-Instruct", 7.61),
        ("Qwen/Qwen2.5-Coder-14B-Instruct", 14.7),
        ("Qwen/Qwen2.5-32B-Instruct", 32.5),
        ("Qwen/QwQ-32B", 32.5),
        ("Qwen/Qwen3-4B-Instruct-2507", 4.0),
        ("Qwen/Qwen3-30B-A3B-Thinking-2507", 30.5),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", 30.5),
        ("Qwen/Qwen3-235B-A22B-Instruct-2507", 235),
        ("deepseek-ai/DeepSeek-V3.1", 671),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B", 1.78),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", 7.62),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-14B", 14.8),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-32B", 32.8),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-8B", 8.03),
        ("deepseek-ai/DeepSeek-R1-Distill-Llama-70B", 70.6),
        ("google/gemma-3-1b-it", 1.0),
        ("microsoft/Phi-3.5-mini-instruct", 3.82),
        ("zai-org/GLM-4.5-Air", 106),
        ("zai-org/GLM-4.6", 355),
        ("zai-org/GLM-4-9B-0414", 9.4),
        ("intfloat/e5-mistral-7b-instruct", 7.11),
        # keras-hub@71453d0, keras_hub/src/models/qwen3/qwen3_presets.py
        ("Qwen/Qwen3-Embedding-0.6B", 0.595_776_512),
        ("Qwen/Qwen3-Embedding-4B", 4.021_774_336),
        ("Qwen/Qwen3-Embedding-8B", 8.188_515_328),
    ],
)
def test_a_shape_has_the_parameters_that_its_makers_count(name: str, billions: float) -> None:
    stated = config(name)
    assert stated is not None
    assert parameters(shape(stated.config)) / 1e9 == pytest.approx(billions, rel=0.02)


@pytest.mark.parametrize(
    ("name", "gigabytes"),
    [
        # The *.safetensors of the repository, as the Hub's file lists have them.
        ("Qwen/Qwen2.5-7B-Instruct-AWQ", 4.00 + 1.57),
        ("nvidia/Llama-3.1-8B-Instruct-FP8", 5.00 + 4.08),
        ("RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w8a8", 5.00 + 4.08),
        ("RedHatAI/Meta-Llama-3.1-70B-Instruct-quantized.w8a8", 72.7),
        # What Transformers held after one token, QwenLM/Qwen3@7a2f61f docs/source/getting_started/speed_benchmark.md (MB).
        ("Qwen/Qwen3-8B-AWQ", 6.177),
    ],
)
def test_a_quantized_copy_weighs_what_its_files_do(name: str, gigabytes: float) -> None:
    """Group size, bits, and what is left alone: each of them would show."""
    stated = config(name)
    assert stated is not None
    made = shape(stated.config)
    lines = weigh(made, Loading(scheme(stated.config), 2.0), Split(), range(len(made.layers)))
    weights = sum(line.gib for line in lines if not line.rule.startswith("rope"))
    assert weights * 2**30 / 1e9 == pytest.approx(gigabytes, rel=0.02)

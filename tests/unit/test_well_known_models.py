"""Models that people deploy: vLLM's memory is known for each, without a look at the Hub."""

from __future__ import annotations

from typing import Any

import pytest
from support import specs

from llmdeploy.memory.model import Ledger, Verdict

#: By the number of H200 that hold one, weights and a request of its whole context.
FITTING = {
    1: """
        Qwen/Qwen2.5-0.5B-Instruct Qwen/Qwen2.5-1.5B-Instruct Qwen/Qwen2.5-3B-Instruct Qwen/Qwen2.5-7B-Instruct
        Qwen/Qwen2.5-14B-Instruct Qwen/Qwen2.5-32B-Instruct Qwen/Qwen2.5-0.5B-Instruct-AWQ
        Qwen/Qwen2.5-7B-Instruct-AWQ Qwen/Qwen2.5-14B-Instruct-AWQ Qwen/Qwen2.5-32B-Instruct-AWQ
        Qwen/Qwen2.5-72B-Instruct-AWQ Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4 Qwen/Qwen2.5-7B-Instruct-GPTQ-Int8
        Qwen/Qwen2.5-32B-Instruct-GPTQ-Int4 Qwen/Qwen2.5-72B-Instruct-GPTQ-Int4 Qwen/Qwen2.5-72B-Instruct-GPTQ-Int8
        Qwen/Qwen2.5-Coder-7B-Instruct Qwen/Qwen2.5-Coder-14B-Instruct Qwen/Qwen2.5-Coder-32B-Instruct
        Qwen/Qwen2.5-Coder-32B-Instruct-AWQ Qwen/QwQ-32B Qwen/QwQ-32B-AWQ
        Qwen/Qwen3-0.6B Qwen/Qwen3-1.7B Qwen/Qwen3-4B Qwen/Qwen3-8B Qwen/Qwen3-14B Qwen/Qwen3-32B Qwen/Qwen3-30B-A3B
        Qwen/Qwen3-4B-FP8 Qwen/Qwen3-8B-FP8 Qwen/Qwen3-14B-FP8 Qwen/Qwen3-32B-FP8 Qwen/Qwen3-30B-A3B-FP8
        Qwen/Qwen3-4B-AWQ Qwen/Qwen3-8B-AWQ Qwen/Qwen3-14B-AWQ Qwen/Qwen3-32B-AWQ
        Qwen/Qwen3-4B-Instruct-2507 Qwen/Qwen3-4B-Thinking-2507 Qwen/Qwen3-4B-Instruct-2507-FP8
        Qwen/Qwen3-30B-A3B-Instruct-2507 Qwen/Qwen3-30B-A3B-Thinking-2507 Qwen/Qwen3-30B-A3B-Instruct-2507-FP8
        Qwen/Qwen3-Coder-30B-A3B-Instruct Qwen/Qwen3-Coder-30B-A3B-Instruct-FP8
        Qwen/Qwen3-Embedding-0.6B Qwen/Qwen3-Embedding-4B Qwen/Qwen3-Embedding-8B intfloat/e5-mistral-7b-instruct
        meta-llama/Llama-3.1-8B-Instruct meta-llama/Meta-Llama-3-8B-Instruct meta-llama/Llama-3.2-1B
        meta-llama/Llama-3.2-1B-Instruct meta-llama/Llama-3.2-3B meta-llama/Llama-3.2-3B-Instruct
        deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B deepseek-ai/DeepSeek-R1-Distill-Qwen-7B
        deepseek-ai/DeepSeek-R1-Distill-Qwen-14B deepseek-ai/DeepSeek-R1-Distill-Qwen-32B
        deepseek-ai/DeepSeek-R1-Distill-Llama-8B
        mistralai/Mistral-7B-Instruct-v0.2 mistralai/Mistral-7B-Instruct-v0.3 mistralai/Mixtral-8x7B-Instruct-v0.1
        mistralai/Mistral-Nemo-Instruct-2407 mistralai/Ministral-8B-Instruct-2410
        mistralai/Mistral-Small-24B-Instruct-2501 mistralai/Mistral-Small-3.1-24B-Instruct-2503
        google/gemma-3-1b-it google/gemma-3-4b-it google/gemma-3-12b-it google/gemma-3-27b-it
        microsoft/phi-4 microsoft/Phi-4-mini-instruct microsoft/Phi-3.5-mini-instruct zai-org/GLM-4-9B-0414
        openai/gpt-oss-20b openai/gpt-oss-120b
        RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8-dynamic RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w4a16
        RedHatAI/Meta-Llama-3.1-8B-Instruct-quantized.w8a8 RedHatAI/Meta-Llama-3.1-70B-Instruct-FP8-dynamic
        RedHatAI/Meta-Llama-3.1-70B-Instruct-quantized.w4a16 RedHatAI/Meta-Llama-3.1-70B-Instruct-quantized.w8a8
        RedHatAI/Llama-3.3-70B-Instruct-FP8-dynamic RedHatAI/Llama-3.3-70B-Instruct-quantized.w4a16
        RedHatAI/Llama-3.3-70B-Instruct-quantized.w8a8 RedHatAI/Qwen2.5-7B-Instruct-FP8-dynamic
        RedHatAI/Qwen2.5-7B-Instruct-quantized.w4a16 RedHatAI/Qwen2.5-7B-Instruct-quantized.w8a8
        RedHatAI/Qwen3-8B-FP8-dynamic RedHatAI/Qwen3-8B-quantized.w4a16 RedHatAI/Qwen3-32B-FP8-dynamic
        RedHatAI/Qwen3-30B-A3B-FP8-dynamic RedHatAI/Mistral-Small-24B-Instruct-2501-FP8-dynamic
        RedHatAI/Mistral-Small-3.1-24B-Instruct-2503-FP8-dynamic
        RedHatAI/Mistral-Small-3.1-24B-Instruct-2503-quantized.w4a16
        nvidia/Llama-3.1-8B-Instruct-FP8 nvidia/Llama-3.1-8B-Instruct-NVFP4 nvidia/Llama-3.1-70B-Instruct-FP8
        nvidia/Llama-3.3-70B-Instruct-FP8 nvidia/Llama-3.3-70B-Instruct-FP4 nvidia/Llama-3.3-70B-Instruct-NVFP4
        hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4 hugging-quants/Meta-Llama-3.1-70B-Instruct-AWQ-INT4
    """,
    2: """
        meta-llama/Llama-3.1-70B-Instruct meta-llama/Llama-3.3-70B-Instruct meta-llama/Meta-Llama-3-70B-Instruct
        Qwen/Qwen2.5-72B-Instruct deepseek-ai/DeepSeek-R1-Distill-Llama-70B zai-org/GLM-4.5-Air
        RedHatAI/Qwen3-235B-A22B-FP8-dynamic
    """,
    4: """
        mistralai/Mixtral-8x22B-Instruct-v0.1 mistralai/Mistral-Large-Instruct-2411
        Qwen/Qwen3-235B-A22B-Instruct-2507-FP8 Qwen/Qwen3-235B-A22B-Thinking-2507-FP8
        nvidia/DeepSeek-R1-FP4 nvidia/DeepSeek-R1-NVFP4-v2 nvidia/Llama-3.1-405B-Instruct-FP8
        RedHatAI/Meta-Llama-3.1-405B-Instruct-FP8-dynamic hugging-quants/Meta-Llama-3.1-405B-Instruct-AWQ-INT4
    """,
    8: """
        deepseek-ai/DeepSeek-V3 deepseek-ai/DeepSeek-V3-0324 deepseek-ai/DeepSeek-V3.1 deepseek-ai/DeepSeek-R1
        deepseek-ai/DeepSeek-R1-0528 meta-llama/Llama-3.1-405B-Instruct meta-llama/Llama-3.1-405B-Instruct-FP8
        Qwen/Qwen3-235B-A22B-Instruct-2507 Qwen/Qwen3-235B-A22B-Thinking-2507 zai-org/GLM-4.5 zai-org/GLM-4.6
    """,
}

#: What is known of these is not enough, and why.
UNKNOWN = {
    "BAAI/bge-m3": "architecture: `XLMRobertaModel` is not modelled",
    "meta-llama/Llama-3.2-11B-Vision-Instruct": "architecture: `MllamaForConditionalGeneration` is not modelled",
}

ROWS = [(source, count) for count, sources in FITTING.items() for source in sources.split()]


def memory(source: str, gpu: str, count: int) -> Ledger:
    data: dict[str, Any] = {
        "version": 1,
        "name": "demo",
        "gpus": {"gpu": {"type": gpu, "count": count}},
        "secrets": {"hub": {"env": "HF_TOKEN"}},
        "models": {"chat": {"source": source, "token": "hub", "engine": "vllm", "gpus": count}},
        "routes": [{"path": "/chat", "model": "chat"}],
    }
    plan = specs.compiled(data, ("docker",), emit=False).plan
    assert plan is not None
    (service,) = plan.services
    assert service.memory is not None
    return service.memory


@pytest.mark.parametrize(("source", "count"), ROWS)
def test_a_well_known_model_gets_a_verdict_on_every_data_centre_gpu(source: str, count: int) -> None:
    assert memory(source, "h200", count).verdict is Verdict.FITS
    assert memory(source, "b200", count).verdict is Verdict.FITS
    # A smaller card may be too small, and is known to be.
    assert memory(source, "h100", count).verdict is not Verdict.UNKNOWN


@pytest.mark.parametrize(("source", "reason"), UNKNOWN.items())
def test_a_well_known_model_without_a_verdict_says_why(source: str, reason: str) -> None:
    ledger = memory(source, "h200", 1)
    assert (ledger.verdict, ledger.reason) == (Verdict.UNKNOWN, reason)


def test_no_model_is_listed_twice() -> None:
    names = [source.lower() for source, _ in ROWS]
    assert len(names) == len(set(names)) and not set(names) & {name.lower() for name in UNKNOWN}

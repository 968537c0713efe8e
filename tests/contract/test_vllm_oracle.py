"""vLLM itself, without a GPU, tells good command lines from bad ones as it would on the machine named."""

from __future__ import annotations

import pytest

SHAPE = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 512,
    "max_position_embeddings": 2048,
}

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "torch_dtype": "bfloat16",
    **SHAPE,
}

GEMMA = {
    "architectures": ["Gemma3ForConditionalGeneration"],
    "model_type": "gemma3",
    "torch_dtype": "bfloat16",
    "text_config": {"model_type": "gemma3_text", "head_dim": 64, **SHAPE},
    "vision_config": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64},
}

ACCEPTED = {
    "plain": ["--served-model-name", "a", "--max-model-len", "1024"],
    "what only a GPU can do": ["--quantization", "fp8", "--kv-cache-dtype", "fp8"],
    "four GPUs": ["--tensor-parallel-size", "4"],
    "two by two GPUs": ["--tensor-parallel-size", "2", "--pipeline-parallel-size", "2"],
    "a dotted JSON flag": ["--structured-outputs-config.backend", "xgrammar"],
    "a template in the container": ["--chat-template", "/templates/chat.jinja"],
}

REFUSED = {
    "a flag that is none": (["--no-such-flag"], "unrecognized arguments: --no-such-flag"),
    "a quantization that is none": (["--quantization", "int4"], "Unknown quantization method: int4"),
    "heads that do not divide": (
        ["--tensor-parallel-size", "3"],
        "attention heads (4) must be divisible by tensor parallel size (3)",
    ),
    "more GPUs than there are": (
        ["--tensor-parallel-size", "4", "--pipeline-parallel-size", "4"],
        "World size",
    ),
    "more context than the model has": (
        ["--max-model-len", "4096"],
        "greater than the derived max_model_len",
    ),
    "a parser that is none": (
        ["--enable-auto-tool-choice", "--tool-call-parser", "nope"],
        "invalid tool call parser: nope",
    ),
}

TOO_OLD = {
    "bfloat16": ((7, 5), ["--dtype", "bfloat16"], "compute capability of at least 8.0"),
    "fp8": ((7, 0), ["--quantization", "fp8"], "not supported for the current GPU"),
}


ENGINES = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ("vllm-0.32", "vllm-0.33")]


@pytest.fixture(scope="module", params=ENGINES)
def vllm(request, oracle):
    return oracle(request.param)


@pytest.mark.parametrize("flags", ACCEPTED.values(), ids=ACCEPTED)
def test_accepts(vllm, tmp_path, flags):
    assert vllm.complaint(["org/model", *flags], LLAMA, folder=tmp_path, gpus=4) is None


@pytest.mark.parametrize(("flags", "reason"), REFUSED.values(), ids=REFUSED)
def test_refuses(vllm, tmp_path, flags, reason):
    assert reason in vllm.complaint(["org/model", *flags], LLAMA, folder=tmp_path, gpus=4)


@pytest.mark.parametrize(("capability", "flags", "reason"), TOO_OLD.values(), ids=TOO_OLD)
def test_knows_what_a_gpu_can_do(vllm, tmp_path, capability, flags, reason):
    complaint = vllm.complaint(["org/model", *flags], LLAMA, folder=tmp_path, capability=capability)
    assert reason in complaint


def test_one_question_leaves_no_trace_in_the_next(vllm, tmp_path):
    assert vllm.complaint(["org/model", "--reasoning-parser", "nope"], LLAMA, folder=tmp_path)
    assert vllm.complaint(["org/model"], LLAMA, folder=tmp_path) is None


def test_knows_models_that_see(vllm, tmp_path):
    assert vllm.complaint(["org/model", "--tensor-parallel-size", "2"], GEMMA, folder=tmp_path) is None


def test_can_judge_the_command_line_alone(vllm):
    assert vllm.complaint(["org/model", "--tensor-parallel-size", "3"]) is None
    assert "invalid int value" in vllm.complaint(["org/model", "--tensor-parallel-size", "many"])

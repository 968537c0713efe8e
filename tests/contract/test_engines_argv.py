"""The engines' own parsers take what is made for them."""

from __future__ import annotations

import json

import pytest
from support.settings import API_KEY, ENGINES, RICH, settings

from llmdeploy.catalog.quantization import methods

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "vocab_size": 512,
    "max_position_embeddings": 8192,
    "torch_dtype": "bfloat16",
}
VLLMS = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ("vllm-0.32", "vllm-0.33")]
PASSED = {
    "max-logprobs": 5,
    "enforce_eager": False,
    "hf-overrides": {"a": 1},
    "seed": 1,
    "structured_outputs_config.disable_any_whitespace": True,
}
#: What a dense model takes of RICH.
DENSE = {name: value for name, value in RICH.items() if name != "expert"} | {"grammar_backend": "xgrammar"}


@pytest.mark.parametrize("name", VLLMS)
def test_vllm(oracle, tmp_path, name):
    lowered = ENGINES["vllm"].lower(settings("vllm", DENSE, engine_args=PASSED))
    assert oracle(name).complaint(lowered.launch.args, LLAMA, folder=tmp_path, gpus=16) is None


@pytest.mark.parametrize("name", VLLMS)
@pytest.mark.parametrize("word", ["fp8", "int8_per_channel_weight_only"])
def test_vllm_quantizes_what_is_not(oracle, tmp_path, name, word):
    launch = ENGINES["vllm"].lower(settings("vllm", {"quantization": word})).launch
    assert oracle(name).complaint(launch.args, LLAMA, folder=tmp_path) is None


AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}
GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False, "sym": True}
NVFP4 = {"quant_method": "modelopt", "quant_algo": "NVFP4", "group_size": 16, "exclude_modules": []}
MXFP4 = {"quant_method": "mxfp4"}


@pytest.mark.parametrize("name", VLLMS)
@pytest.mark.parametrize(
    ("word", "config"), [("awq", AWQ), ("gptq", GPTQ), ("nvfp4", NVFP4), ("mxfp4", MXFP4)]
)
def test_vllm_agrees_with_the_checkpoint(oracle, tmp_path, name, word, config):
    launch = ENGINES["vllm"].lower(settings("vllm", {"quantization": word})).launch
    model = {**LLAMA, "quantization_config": config}
    assert oracle(name).complaint(launch.args, model, folder=tmp_path, capability=[10, 0]) is None


@pytest.mark.parametrize("name", VLLMS)
def test_vllm_on_a_cpu(oracle, name):
    launch = ENGINES["vllm"].lower(settings("vllm", {"kv_bytes": 1 << 30}, vendor="cpu")).launch
    assert oracle(name).complaint(launch.args) is None


@pytest.mark.parametrize("vendor", ["nvidia", "cpu"])
@pytest.mark.xdist_group("sglang-0.5.23")
def test_sglang(oracle, tmp_path, vendor):
    """Its `--config` file is read too, and arguments win over it."""
    values = {name: value for name, value in RICH.items() if vendor == "nvidia" or name != "quantization"}
    launch = ENGINES["sglang"].lower(settings("sglang", values, vendor=vendor, api_key=API_KEY)).launch
    file = tmp_path / "engine.yaml"
    file.write_text(json.dumps({"api-key": "k", "port": "not a number"}))
    args = [*launch.args[:-1], str(file)]
    complaint = oracle("sglang-0.5.23").complaint(args)
    assert complaint is not None and "invalid int value" in complaint
    file.write_text(json.dumps({"api-key": "k"}))
    assert oracle("sglang-0.5.23").complaint(args) is None


@pytest.mark.parametrize("word", sorted({m.flag for m in methods("sglang", "0.5.23") if m.flag}))
@pytest.mark.xdist_group("sglang-0.5.23")
def test_sglang_knows_the_quantization(oracle, word):
    launch = ENGINES["sglang"].lower(settings("sglang", {"quantization": word})).launch
    assert oracle("sglang-0.5.23").complaint(launch.args) is None

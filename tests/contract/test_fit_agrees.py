"""vLLM and SGLang themselves agree with our judgement of quantization, types and shapes.

What we accept on a GPU they accept there, as far as their configuration is judged without weights. What we
refuse they refuse, where they find it out that early; what ends them later (shards of quantized groups, vision
heads, empty pipeline stages, schemes of compressed-tensors) is held by its source in the tables alone.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from llmdeploy.compiler import Result, compile
from llmdeploy.facts.gather import gather

SPECS = Path(__file__).parents[1] / "diagnostics"
MODELS = SPECS / "models"
SUBJECTS = ("quantization", "dtype", "accelerator", "parallelism", "checkpoint", "speculative")
OK = sorted(path for subject in SUBJECTS for path in (SPECS / "ok" / subject).glob("*.yaml"))

#: What vLLM says against what a broken spec asks for, and how it asks for it in vLLM's words.
REFUSED: dict[str, tuple[list[str], str]] = {
    "quantization/awq_of_plain_weights": (["--quantization", "awq"], "Cannot find the config file for awq"),
    "quantization/gptq_asked_of_awq": (["--quantization", "gptq"], "does not match the quantization"),
    "quantization/fp8_on_top_of_awq": (["--quantization", "fp8"], "does not match the quantization"),
    "quantization/awq_that_is_compressed_tensors": (["--quantization", "awq"], "does not match the quant"),
    "quantization/int4_of_plain_weights": (["--quantization", "int4"], "Unknown quantization method: int4"),
    "quantization/bitsandbytes_since_it_left_vllm": (
        ["--quantization", "bitsandbytes"],
        "Unknown quantization method: bitsandbytes",
    ),
    "quantization/bitsandbytes_checkpoint_on_vllm": ([], "Unknown quantization method: bitsandbytes"),
    "quantization/gguf_of_a_directory": (["--quantization", "gguf"], "Unknown quantization method: gguf"),
    "quantization/fbgemm_checkpoint_on_vllm": ([], "is deprecated"),
    "quantization/mxfp4_checkpoint_on_turing": ([], "is not supported for the current GPU"),
    "dtype/bfloat16_on_turing": (
        [],
        "Bfloat16 is only supported on GPUs with compute capability of at least",
    ),
    "dtype/float16_of_gemma2": ([], "does not support float16"),
    "dtype/float16_of_glm4_on_turing": ([], "does not support float16"),
    "dtype/float32_of_awq": ([], "is not supported for quantization method"),
    "dtype/float16_of_mxfp4": ([], "is not supported for quantization method"),
    "parallelism/heads_over_three": ([], "must be divisible by tensor parallel size"),
    "parallelism/experts_of_a_dense_model": ([], "Number of experts in the model must be greater than 0"),
    "checkpoint/hqq_on_vllm": ([], "Unknown quantization method: hqq"),
    "checkpoint/awq_with_eight_bits": ([], "Unsupported num_bits = 8"),
    "checkpoint/awq_without_bits": ([], "Cannot find any of ['w_bit', 'bits']"),
    "checkpoint/bits_are_text": ([], "unsupported operand type"),
    "checkpoint/gptq_without_sym": ([], "Cannot find any of ['sym']"),
    "checkpoint/gptq_asymmetric": ([], "Unsupported quantization config: bits=4, sym=False"),
    "checkpoint/block_size_is_a_number": ([], "has no len()"),
    "checkpoint/modelopt_without_quant_algo": ([], "Missing 'quant_algo'"),
    "checkpoint/heads_are_text": ([], "expected int, got str"),
    "checkpoint/heads_with_a_point": ([], "expected int, got float"),
    "checkpoint/tied_is_text": ([], "expected bool, got str"),
    "checkpoint/architectures_are_text": ([], "Input should be a valid list"),
    "speculative/mtp_of_llama": ([], "Unsupported speculative method: 'mtp'"),
    "speculative/mtp_of_stripped_layers": ([], "modulo by zero"),
    "parallelism/context_beyond_the_model": ([], "greater than the derived max_model_len"),
}
#: int8 of a dense model is accepted there, and quantizes nothing: vllm/config/quantization.py has no `linear` for it.
IN_SILENCE = ["--quantization", "int8_per_channel_weight_only"]


def compiled(path: Path, version: str | None = None) -> tuple[Result, dict[str, Any]]:
    data = yaml.safe_load(path.read_text())
    model = data["models"]["chat"]
    if version is not None:
        model["engine_version"] = version
    result = compile(
        json.dumps(data), facts=lambda spec: gather(spec, path.parent, path.parent / "out"), emit=False
    )
    return result, model


def machine(result: Result) -> dict[str, Any]:
    """The first pool, as the oracle takes it."""
    from llmdeploy.plan.hardware import hardware

    assert result.spec
    (pool,) = hardware(result.spec).values()
    major, _, minor = (pool.capability or "9.0").partition(".")
    return {"gpus": pool.count, "capability": [int(major), int(minor)]}


def model_files(model: dict[str, Any], folder: Path) -> dict[str, Any]:
    """config.json, with ModelOpt's own file beside it where there is one."""
    source = MODELS / Path(model["source"]).name
    for extra in source.glob("hf_*.json"):
        (folder / extra.name).write_text(extra.read_text())
    content: dict[str, Any] = json.loads((source / "config.json").read_text())
    return content


def name_of(path: Path) -> str:
    return path.relative_to(SPECS).with_suffix("").as_posix()


def serves(path: Path, engine: str) -> bool:
    spec = yaml.safe_load(path.read_text())
    model = spec["models"]["chat"]
    nvidia = spec["gpus"]["gpu"].get("type", "") not in ("cpu", "mi300x", "mi355x")
    return bool(model.get("engine", "vllm") == engine and nvidia and "image" not in model)


def has_config(path: Path) -> bool:
    source = str(yaml.safe_load(path.read_text())["models"]["chat"]["source"])
    return (path.parent / source / "config.json").exists()


VLLM = [pytest.param(v, marks=pytest.mark.xdist_group(f"vllm-{v}")) for v in ("0.32", "0.33")]


@pytest.mark.parametrize("version", VLLM)
@pytest.mark.parametrize("path", [p for p in OK if serves(p, "vllm") and has_config(p)], ids=name_of)
def test_vllm_accepts_what_we_accept(path, version, oracle, tmp_path):
    result, model = compiled(path, f"{version}.0")
    assert result.ok and result.plan
    argv = result.plan.service("chat").launch.args
    config = model_files(model, tmp_path)
    assert oracle(f"vllm-{version}").complaint(argv, config, folder=tmp_path, **machine(result)) is None


@pytest.mark.parametrize("version", VLLM)
@pytest.mark.parametrize("name", REFUSED)
def test_vllm_refuses_what_we_refuse(name, version, oracle, tmp_path):
    result, model = compiled(SPECS / "err" / f"{name}.yaml", f"{version}.0")
    assert not result.ok and result.plan
    flags, reason = REFUSED[name]
    argv = [*result.plan.service("chat").launch.args, *flags]
    config = model_files(model, tmp_path)
    complaint = oracle(f"vllm-{version}").complaint(argv, config, folder=tmp_path, **machine(result))
    assert complaint is not None and reason in complaint


@pytest.mark.parametrize("version", VLLM)
def test_vllm_takes_int8_of_a_dense_model_in_silence(version, oracle, tmp_path):
    """That is why we refuse it."""
    result, model = compiled(SPECS / "err/quantization/int8_of_a_dense_model.yaml", f"{version}.0")
    assert not result.ok and result.plan
    argv = [*result.plan.service("chat").launch.args, *IN_SILENCE]
    assert oracle(f"vllm-{version}").complaint(argv, model_files(model, tmp_path), folder=tmp_path) is None


@pytest.mark.parametrize("version", VLLM)
@pytest.mark.parametrize("capability", [(7, 5), (8, 0), (9, 0), (10, 0)])
def test_vllm_runs_gemma_in_float32_where_there_is_no_bfloat16(capability, version, oracle, tmp_path):
    """`dtype: auto` is no error there; `llmdeploy plan` says what it costs."""
    config = json.loads((MODELS / "gemma2/config.json").read_text())
    argv = ["org/model"]
    assert (
        oracle(f"vllm-{version}").complaint(argv, config, folder=tmp_path, capability=capability, gpus=1)
        is None
    )


@pytest.mark.xdist_group("sglang-0.5.23")
@pytest.mark.parametrize("path", [p for p in OK if serves(p, "sglang")], ids=name_of)
def test_sglang_accepts_what_we_accept(path, oracle):
    result, _ = compiled(path)
    assert result.ok and result.plan
    assert oracle("sglang-0.5.23").complaint(result.plan.service("chat").launch.args) is None

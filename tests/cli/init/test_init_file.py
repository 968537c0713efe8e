"""The file that `llmdeploy init` writes, and what it refuses to write."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from support.starter import Tool, data, findings, init, written

from llmdeploy import catalog

SERVED = [gpu for gpu in catalog.gpus() if gpu.vendor in ("nvidia", "amd", "cpu")]


@pytest.mark.parametrize("gpu", SERVED, ids=lambda gpu: gpu.id)
@pytest.mark.parametrize("count", [1, 3, 8])
def test_every_gpu_that_an_engine_serves_gets_a_file_without_findings(gpu: catalog.Gpu, count: int) -> None:
    assert findings(written("--gpu", gpu.id, "--count", str(count))) == []


def test_a_file_is_never_overwritten_unless_forced(tool: Tool, tmp_path: Path) -> None:
    file = tmp_path / "llm.yaml"
    assert init("--gpu", "l4").exit_code == 0
    before = file.read_text()
    refused = init("--gpu", "h100")
    assert refused.exit_code == 2 and "llm.yaml is there already" in refused.output
    assert file.read_text() == before
    assert init("--gpu", "h100", "--force").exit_code == 0
    assert "h100-sxm-80gb" in file.read_text()


def test_a_file_that_cannot_be_written_is_a_usage_error(tool: Tool) -> None:
    result = init("--gpu", "l4", "-o", "absent/llm.yaml")
    assert result.exit_code == 2 and "absent/llm.yaml cannot be written: No such file" in result.output


def test_the_file_says_where_to_go_on(tool: Tool, tmp_path: Path) -> None:
    result = init("--gpu", "l4", "-o", "other.yaml")
    assert "`llmdeploy plan other.yaml`" in result.output
    text = (tmp_path / "other.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=llm.schema.json\n")
    assert "llmdeploy schema > llm.schema.json" in text
    # Every line that is commented out is a hint that must hold: the second model, and the token.
    assert "#   second:" in text and "#   hf-token: {env: HF_TOKEN" in text


def test_the_second_model_of_the_comment_compiles() -> None:
    text = written("--gpu", "l40s", "--count", "2")
    lines = text.splitlines()
    start = lines.index("#   second:")
    second = [line.removeprefix("# ") for line in lines[start : lines.index("routes:")]]
    rest = [*lines[start + len(second) :], "  - {path: /second, model: second}"]
    assert findings("\n".join([*lines[: start - 2], *second, *rest])) == []


@pytest.mark.parametrize(
    ("model", "gpu", "count", "expected"),
    [
        ("Qwen/Qwen3-8B", "h100", 8, 1),
        ("Qwen/Qwen3-32B", "a100", 8, 1),
        ("Qwen/Qwen2.5-72B-Instruct", "h100", 8, 4),
        ("Qwen/Qwen3-235B-A22B-FP8", "h100", 8, 4),
        ("deepseek-ai/DeepSeek-V3", "h200", 8, 8),  # no size in its name: the ledger knows
        ("someone/Model-8x7B", "a100", 4, 2),
    ],
)
def test_a_large_model_gets_as_many_gpus_as_its_name_asks_for(
    model: str, gpu: str, count: int, expected: int
) -> None:
    text = written("--gpu", gpu, "--count", str(count), "--model", model)
    assert yaml.safe_load(text)["models"]["chat"]["gpus"] == expected
    assert findings(text) == []


def test_a_model_that_fits_no_number_of_these_gpus_is_refused_before_anything_is_written() -> None:
    done = init("--gpu", "l4", "--count", "3", "--model", "Qwen/Qwen2.5-72B-Instruct", "-o", "-")
    assert done.exit_code == 2
    assert ": its weights alone take" in done.output


def test_the_context_is_never_longer_than_the_models_own() -> None:
    known = data("--gpu", "h100", "--model", "google/gemma-2-9b-it")
    unknown = data("--gpu", "h100", "--model", "someone/something-8B")
    assert known["models"]["chat"]["context"] == 8192
    assert unknown["models"]["chat"]["context"] == 8192


def test_a_gated_model_gets_a_token() -> None:
    text = written("--gpu", "h100", "--model", "meta-llama/Llama-3.1-8B-Instruct")
    assert yaml.safe_load(text)["models"]["chat"]["token"] == "hf-token"
    assert yaml.safe_load(text)["secrets"]["hf-token"]["env"] == "HF_TOKEN"
    assert findings(text) == []


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
def test_an_engine_that_is_asked_for_is_written(engine: str) -> None:
    text = written("--gpu", "l40s", "--engine", engine)
    assert yaml.safe_load(text)["models"]["chat"]["engine"] == engine
    assert findings(text) == []


def test_an_openllm_tag_is_built_on_this_host() -> None:
    text = written("--gpu", "a100", "--count", "2", "--engine", "openllm", "--model", "llama3.3:70b")
    assert yaml.safe_load(text)["models"]["chat"]["source"] == {"openllm": "llama3.3:70b"}
    assert yaml.safe_load(text)["targets"] == {"docker": {}, "compose": {}}
    assert findings(text) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gpu", "l44"], "did you mean `l4`?"),
        (["--gpu", "gaudi3"], "has no image for habana"),
        (["--gpu", "l4", "--engine", "vlm"], "there is no engine `vlm`"),
        (["--gpu", "l4", "--name", "Not a name"], "`Not a name` is not a name"),
        (["--gpu", "l4", "--model", "a/b/c"], "`a/b/c` is not a Hub id"),
        (["--gpu", "l4", "--count", "0"], "Invalid value for '--count'"),
        (["--count", "2"], "--count says how many"),
        (["--gpu", "l4", "--engine", "openllm"], "openllm"),
    ],
)
def test_what_the_compiler_would_refuse_is_a_usage_error(arguments: list[str], said: str) -> None:
    result = init(*arguments, "-o", "-")
    assert result.exit_code == 2
    assert said in result.output
    assert not result.stdout


def test_a_gpu_that_is_named_twice_is_no_way_to_count() -> None:
    result = init("--gpu", "l4", "--gpu", "nvidia-l4", "-o", "-")
    assert result.exit_code == 2
    assert (
        "`nvidia-l4` is named a second time; --count says how many there are of each --gpu" in result.output
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--gpu", "gaudi3"], "name another --gpu or --engine"),
        (["--gpu", "t4", "--engine", "tgi"], "name another --gpu or --engine"),
        (["--gpu", "cpu", "--engine", "openllm", "--model", "llama3.2:1b"], "name another --gpu or --engine"),
        (["--gpu", "l4", "--engine", "openllm"], "name one by its tag, like `--model llama3.2:1b`"),
        (["--gpu", "l4", "--engine", "openllm", "--model", "acme/x-7B"], "or its tag as --model"),
        (["--gpu", "l4", "--model", "Qwen/Qwen2.5-72B-Instruct"], "name a smaller --model, a larger --gpu"),
    ],
)
def test_a_refusal_offers_what_init_has(arguments: list[str], said: str) -> None:
    result = init(*arguments, "-o", "-")
    assert result.exit_code == 2
    assert said in result.output
    assert "`image`" not in result.output and "memory_fraction" not in result.output


@pytest.mark.parametrize("gpu", ["l4", "a10g", "rtx-3090", "rtx-4090"])
def test_the_model_that_nobody_asked_for_is_one_that_fits_the_engine(gpu: str) -> None:
    assert findings(written("--gpu", gpu, "--engine", "sglang")) == []


def test_tgi_on_amd_compiles() -> None:
    assert findings(written("--gpu", "mi300x", "--engine", "tgi")) == []


def test_a_model_of_which_nothing_is_known_is_written_and_said_so(tool: Tool, tmp_path: Path) -> None:
    done = init("--gpu", "l4", "--model", "acme/unheard-of-7B", "-o", str(tmp_path / "llm.yaml"))
    assert done.exit_code == 0
    assert "; memory was not checked for `chat`: read it with `--online`, or state its shape" in done.output

"""`calibrate` as a person meets it: the table, the JSON, what is kept, and every log that is none of a start."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from support import tools

from llmdeploy import compiler
from llmdeploy.cli import cli
from llmdeploy.facts import calibration
from llmdeploy.facts.gather import gather
from llmdeploy.plan.model import Plan

LOGS = tools.ROOT / "tests/startlog/logs"
TWO_GPUS = LOGS / "vllm-0.33-two-gpus.log"
RESTARTED = LOGS / "vllm-0.19-restarted.log"
KEPT = "llmdeploy.calibration.yaml"
SPEC = """\
version: 1
name: demo
gpus: {gpu: {type: h100-sxm-80gb, count: 4}}
models:
  chat:
    source: meta-llama/Llama-3.1-8B-Instruct
    engine_version: 0.33.0
    token: hub
    gpus: 2
    context: 8192
    memory_fraction: 0.95
secrets: {hub: {env: HF_TOKEN}}
routes: [{path: /chat, model: chat}]
targets: {docker: {}}
"""


def invoke(*arguments: str | Path, input: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, ["calibrate", *map(str, arguments)], input=input)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "llm.yaml"
    file.write_text(SPEC)
    return file


def changed(spec: Path, before: str, after: str) -> Path:
    assert before in SPEC
    spec.write_text(SPEC.replace(before, after))
    return spec


def log(tmp_path: Path, before: str, after: str) -> Path:
    text = TWO_GPUS.read_text()
    assert before in text
    file = tmp_path / "start.log"
    file.write_text(text.replace(before, after))
    return file


def test_the_table(spec: Path, golden_text: Callable[[Path, str], None]) -> None:
    result = invoke(TWO_GPUS, spec)
    assert result.exit_code == 0, result.output
    golden_text(Path(__file__).parent / "calibrate/two-gpus.txt", result.output)


def test_the_json(spec: Path, golden_text: Callable[[Path, str], None]) -> None:
    result = invoke(TWO_GPUS, spec, "--format", "json")
    assert result.exit_code == 0, result.output
    golden_text(Path(__file__).parent / "calibrate/two-gpus.json", result.stdout)


def test_terms_that_are_off_say_by_how_much_and_what_explains_them(tmp_path: Path, spec: Path) -> None:
    heavier = log(tmp_path, "Model loading took 7.5", "Model loading took 8.5")
    said = invoke(heavier, spec).output
    assert "weights: +1.02 GiB (+13.6%): layers that the checkpoint leaves unquantized" in said


def test_standard_input_reads_the_same(spec: Path) -> None:
    assert invoke("-", spec, input=TWO_GPUS.read_bytes()).output == invoke(TWO_GPUS, spec).output


# What is kept


def test_what_was_kept_is_used_by_the_next_plan_and_can_be_kept_again(tmp_path: Path, spec: Path) -> None:
    lighter = log(tmp_path, "2.69 GiB for peak activation", "3.69 GiB for peak activation")
    saved = invoke(lighter, spec, "--save", "--date", "2026-11-30")
    assert saved.exit_code == 0, saved.output
    assert f"kept in {spec.parent / KEPT}" in saved.output
    first = (spec.parent / KEPT).read_text()
    (row,) = yaml.safe_load(first)["corrections"]
    assert row["gpu"] == "h100-sxm-80gb" and row["release"] == "0.33" and row["tensor"] == 2
    assert row["activation"] == pytest.approx(1.0, abs=0.01)
    assert row["date"] == "2026-11-30"
    (service,) = plan(spec).services
    assert service.memory and "activation +1.00 GiB" in service.memory.notes[-1]
    again = invoke(lighter, spec, "--save", "--date", "2026-11-30")
    assert again.output == saved.output, "a log is compared with the prediction alone"
    assert (spec.parent / KEPT).read_text() == first


def plan(spec: Path) -> Plan:
    result = compiler.compile(
        spec.read_text(), facts=lambda parsed: gather(parsed, spec.parent, Path("out")), emit=False
    )
    assert result.plan
    return result.plan


def test_a_second_kind_of_start_stands_beside_the_first(spec: Path) -> None:
    invoke(TWO_GPUS, spec, "--save", "--date", "2026-11-30")
    other = (spec.parent / KEPT).read_text().replace("gpu: h100-sxm-80gb", "gpu: h200-sxm-141gb")
    (spec.parent / KEPT).write_text(other)
    invoke(TWO_GPUS, spec, "--save", "--date", "2026-11-30")
    rows = yaml.safe_load((spec.parent / KEPT).read_text())["corrections"]
    assert [row["gpu"] for row in rows] == ["h100-sxm-80gb", "h200-sxm-141gb"]


def test_a_file_that_was_mangled_is_left_alone(spec: Path) -> None:
    (spec.parent / KEPT).write_text("version: 2\n")
    result = invoke(TWO_GPUS, spec, "--save", "--date", "2026-11-30")
    assert result.exit_code == 3
    assert f"{KEPT}, line 1: " in result.output
    assert (spec.parent / KEPT).read_text() == "version: 2\n"


def test_a_log_of_other_settings_is_shown_and_not_kept(spec: Path) -> None:
    result = invoke(TWO_GPUS, changed(spec, "memory_fraction: 0.95", "memory_fraction: 0.9"), "--save")
    assert "warning: gpu_memory_utilization is 0.95 in the log and 0.9 in the plan" in result.output
    assert "nothing was saved: the log is not of the plan as it is" in result.output
    assert not (spec.parent / KEPT).exists()


# Logs that are of something else, or of nothing


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            "engine_version: 0.33.0",
            "engine_version: 0.32.0",
            "version is 0.33.0 in the log and 0.32.0 in the plan",
        ),
        ("context: 8192", "context: 4096", "max_model_len is 8192 in the log and 4096 in the plan"),
        ("type: h100-sxm-80gb", "type: h200-sxm-141gb", "memory of one GPU is 79.19 GiB in the log and 139."),
        ("gpus: 2", "gpus: 4", "tensor_parallel_size is 2 in the log and 4 in the plan"),
    ],
)
def test_a_mismatch_is_said(before: str, after: str, said: str, spec: Path) -> None:
    result = invoke(TWO_GPUS, changed(spec, before, after))
    assert f"warning: {said}" in result.output
    assert result.exit_code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "standard input is empty"),
        (b"\x7fELF\0\0", "standard input is no log: it is not text"),
        (b"hello\n", "no line of vLLM's or SGLang's start in it"),
        (b"INFO text_generation_launcher: Default `max_batch_prefill_tokens`\n", "is a log of tgi"),
        (b"non-default args: {'model': 'meta-llama/Llama-3.1-8B-Instruct'}\n", "the log says nothing of memory"),
        (b"non-default args: {'model': 'Qwen/Qwen3-8B'}\n", "model is Qwen/Qwen3-8B in the log and meta-llama/"),
        (b"server_args={'model_path': 'x'}\n", "engine is sglang in the log and vllm in the plan"),
        (
            b"a-1  | Model loading took 1.5 GiB\nb-1  | Model loading took 2.5 GiB\n",
            "the log is of several containers: a-1, b-1",
        ),
    ],
)  # fmt: skip
def test_what_is_no_log_of_such_a_start_is_a_failure(content: bytes, said: str, spec: Path) -> None:
    result = invoke("-", spec, input=content)
    assert result.exit_code == 3
    assert said in result.output
    assert "Traceback" not in result.output


def test_of_several_containers_that_of_the_model_is_read(spec: Path) -> None:
    other = "db-1    | Model loading took 99.5 GiB memory and 1.0 seconds\n"
    result = invoke("-", spec, input=TWO_GPUS.read_text() + other)
    assert result.exit_code == 0
    assert "99.5" not in result.output


def test_a_failed_start_shows_how_far_it_came_and_why_it_failed(spec: Path) -> None:
    changed(spec, "meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-8B")
    first = RESTARTED.read_text().splitlines(keepends=True)[:7]
    result = invoke("-", spec, "--save", input="".join(first))
    assert result.exit_code == 3
    assert "15.27 GiB" in result.output
    assert "error: the engine did not start, KV too small: ValueError: To serve at least one" in result.output
    assert "nothing was saved" in result.output


def test_of_several_starts_the_last_one_counts(spec: Path) -> None:
    changed(spec, "meta-llama/Llama-3.1-8B-Instruct", "Qwen/Qwen3-8B")
    result = invoke(RESTARTED, spec)
    assert "note: the log has 2 starts; this is the last one" in result.output
    assert "57.50 GiB" in result.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such.log", "llm.yaml"], "`no-such.log` cannot be read: No such file"),
        ([".", "llm.yaml"], "`.` cannot be read: Is a directory"),
        (["-", "-"], "cannot both be standard input"),
        (["start.log", "-", "--save"], "--save has no place to write to"),
        (["start.log", "llm.yaml", "--model", "chad"], "there is no model `chad`; did you mean `chat`?"),
        (["start.log", "llm.yaml", "--date", "today"], "write it like 2026-11-30"),
        (["start.log", "two.yaml"], "Name the model that the log is of: --model chat or code"),
    ],
)
def test_what_cannot_be_asked_for_is_a_usage_error(
    arguments: list[str], said: str, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(spec.parent)
    shutil.copy(TWO_GPUS, "start.log")
    Path("two.yaml").write_text(
        SPEC.replace(
            "routes: [", "  code: {source: Qwen/Qwen3-8B, gpus: 1}\nroutes: [{path: /code, model: code}, "
        )
        .replace("secrets: {hub: {env: HF_TOKEN}}\n", "", 1)
        .replace("    token: hub\n", "", 1)
    )
    result = invoke(*arguments, input=SPEC)
    assert result.exit_code == 2, result.output
    assert said in result.output


def test_errors_in_llm_yaml_end_it(spec: Path) -> None:
    result = invoke(TWO_GPUS, changed(spec, "gpus: 2", "gpus: two"))
    assert result.exit_code == 1
    assert "error[LD103]" in result.output


# Figures that no start can have


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("loading took 7.5", "loading took -7.5", 'weights of -7.51 ("Model loading took -7.5'),
        ("loading took 7.5", "loading took 9999999999997.5", "a GPU has 79."),
        ("loading took 7.5", f"loading took 1{'0' * 400}.5", "weights of inf"),
        ("loading took 7.5", "loading took 0.0", "7.51 GiB are predicted: it is another checkpoint"),
        ("2.69 GiB for peak activation", "-269 GiB for peak activation", "it cannot be less than nothing"),
        ("size: 1,031,424 tokens", "size: 0 tokens", 'KV tokens of 0 ("KV cache size: 0 tokens")'),
        ("size: 1,031,424 tokens", "size: 1,000,000,000,000 tokens", "a token takes more than a byte"),
        ("request: 125.91x", "request: 0.00x", "an engine that holds nothing does not start"),
        ("(77.66/79.19 GiB)", "(77.66/79190.00 GiB)", "no GPU has so much"),
        ("warmup model) took 23.40", "warmup model) took 23400000.0", "no start takes a week"),
    ],
)
def test_a_figure_that_cannot_be_is_named_and_neither_compared_nor_kept(
    before: str, after: str, said: str, tmp_path: Path, spec: Path
) -> None:
    result = invoke(log(tmp_path, before, after), spec, "--save", "--date", "2026-11-30", "--format", "json")
    assert said in result.stderr
    assert "neither compared nor kept" in result.stderr
    shown = json.loads(result.stdout)
    names = {"kv_tokens": "KV tokens", "concurrency": "requests at full length"}
    bad = {names.get(each["term"], each["term"]) for each in shown["implausible"]}
    assert bad
    assert all(row["difference"] is None for row in shown["terms"] if row["term"] in bad)
    _, fault = calibration.parse((spec.parent / KEPT).read_text(), KEPT)
    assert fault is None, "what is saved is always readable"


def test_what_is_left_out_of_a_correction_is_said(tmp_path: Path, spec: Path) -> None:
    result = invoke(log(tmp_path, "loading took 7.5", "loading took -7.5"), spec, "--save")
    assert result.exit_code == 0
    assert (
        "not saved, because they are not both predicted and in the log: weights, non-torch" in result.output
    )
    (row,) = yaml.safe_load((spec.parent / KEPT).read_text())["corrections"]
    assert "weights" not in row and "nontorch" not in row, "it follows from the weights"


def test_saving_nothing_is_a_failure_that_says_why(spec: Path) -> None:
    result = invoke(TWO_GPUS, changed(spec, "memory_fraction: 0.95", "memory_fraction: 0.9"), "--save")
    assert result.exit_code == 3
    assert "error: nothing was saved: the log is not of the plan as it is" in result.output
    assert not (spec.parent / KEPT).exists()


@pytest.mark.parametrize(
    ("before", "after", "effect", "apart"),
    [
        (
            "memory_fraction: 0.95",
            "memory_fraction: 0.9",
            "gpu_memory_utilization is 0.95 in the log and 0.9 in the plan: KV cache, KV tokens and requests at full "
            "length are not compared",
            {"kv", "KV tokens", "requests at full length"},
        ),
        (
            "context: 8192",
            "context: 4096",
            "KV tokens and requests at",
            {"KV tokens", "requests at full length"},
        ),
        (
            "context: 8192",
            "context: 8192\n    kv_cache: {dtype: fp8}",
            "kv_cache_dtype is auto in the log and fp8",
            {"KV tokens", "requests at full length"},
        ),
    ],
)
def test_a_log_of_another_setting_blames_no_term_for_it(
    before: str, after: str, effect: str, apart: set[str], spec: Path
) -> None:
    result = invoke(TWO_GPUS, changed(spec, before, after), "--format", "json")
    assert effect in result.stderr
    rows = {row["term"]: row for row in json.loads(result.stdout)["terms"]}
    assert {term for term, row in rows.items() if not row["compared"]} == apart
    assert all(rows[term]["hint"] is None and not rows[term]["off"] for term in apart)
    assert rows["weights"]["difference"] is not None, "the others are compared as before"


# Another setting is no wrong constant

POOL = {"kv", "KV tokens", "requests at full length"}
EVERY = {"weights", "activation", "nontorch", "cuda_graphs", *POOL}


def apart(*arguments: str | Path) -> tuple[set[str], str]:
    """Return the terms that are not compared, after nothing could be saved, and what was said."""
    result = invoke(*arguments, "--save", "--format", "json")
    assert result.exit_code == 3 and "nothing was saved: the log is not of the plan as it is" in result.stderr
    rows = json.loads(result.stdout)["terms"]
    assert not any(row["off"] for row in rows if not row["compared"])
    return {row["term"] for row in rows if not row["compared"]}, result.stderr


@pytest.mark.parametrize(
    ("logged", "stated", "said"),
    [
        (True, False, "enforce_eager is True in the log and False in the plan"),
        (False, True, "enforce_eager is False in the log and True in the plan"),
    ],
)
def test_a_start_with_graphs_says_nothing_of_one_without(
    logged: bool, stated: bool, said: str, tmp_path: Path, spec: Path
) -> None:
    args = "\n    engine_args: {enforce-eager: true}" if stated else ""
    file = log(tmp_path, "enforce_eager=False", f"enforce_eager={logged}")
    terms, told = apart(file, changed(spec, "context: 8192", f"context: 8192{args}"))
    assert terms == {"activation", "cuda_graphs", *POOL}
    assert said in told


def test_what_a_log_does_not_list_among_its_arguments_is_the_default(tmp_path: Path, spec: Path) -> None:
    file = log(tmp_path, ", enforce_eager=False", "")
    quantized = changed(spec, "context: 8192", "context: 8192\n    quantization: fp8")
    terms, told = apart(file, quantized)
    assert terms == {"weights", *POOL}
    assert "quantization is its default in the log and fp8 in the plan" in told
    eager = changed(spec, "context: 8192", "context: 8192\n    engine_args: {enforce-eager: true}")
    assert apart(file, eager)[0] == {"activation", "cuda_graphs", *POOL}


def test_sequences_that_a_log_leaves_out_are_the_engine_s_default(spec: Path) -> None:
    fewer = changed(spec, "context: 8192", "context: 8192\n    concurrency: 16")
    terms, told = apart(TWO_GPUS, fewer)
    assert terms == {"activation", "cuda_graphs", *POOL}
    assert "max_num_seqs is its default in the log and 16 in the plan" in told


def test_a_plan_that_states_the_default_is_that_of_a_log_which_leaves_it_out(spec: Path) -> None:
    """vLLM's own on an H100: 1024 sequences, steps of 8192 tokens."""
    stated = changed(spec, "context: 8192", "context: 8192\n    concurrency: 1024\n    batch_tokens: 8192")
    assert "warning" not in invoke(TWO_GPUS, stated).output


def test_a_setting_that_a_log_does_not_print_at_all_is_compared(tmp_path: Path, spec: Path) -> None:
    file = log(tmp_path, ", kv_cache_dtype=auto", "")
    narrow = changed(spec, "context: 8192", "context: 8192\n    kv_cache: {dtype: fp8}")
    terms, told = apart(file, narrow)
    assert terms == {"KV tokens", "requests at full length"}
    assert "kv_cache_dtype is its default in the log and fp8 in the plan" in told


STEPS = (
    "INFO 11-30 09:00:22 [scheduler.py:311] Chunked prefill is enabled with max_num_batched_tokens=2048.\n"
)
FLASH = "INFO 11-30 09:00:22 [flash_attn.py:1123] Using FlashAttention version 3\n"
EXPERTS = (
    "INFO [fused_moe.py:1106] Config file not found at E=8,N=14336,device_name=NVIDIA_H100_80GB_HBM3.json\n"
)
A100 = ("h100-sxm-80gb", "a100-sxm-80gb")


@pytest.mark.parametrize(
    ("line", "change", "said", "spoils"),
    [
        (STEPS, ("", ""), "max_num_batched_tokens is 2048 in the log and 8192", {"activation", *POOL}),
        (
            FLASH,
            A100,
            "GPU is of Hopper (FlashAttention 3) in the log and NVIDIA A100 80GB in the plan",
            EVERY,
        ),
        (EXPERTS, A100, "GPU is NVIDIA H100 SXM 80GB in the log and NVIDIA A100 80GB in the plan", EVERY),
    ],
    ids=["steps", "generation", "name"],
)
def test_what_an_engine_says_of_its_steps_and_its_gpu_is_compared(
    line: str, change: tuple[str, str], said: str, spoils: set[str], tmp_path: Path, spec: Path
) -> None:
    file = log(tmp_path, "chat-1  | Capturing", f"chat-1  | {line}chat-1  | Capturing")
    terms, told = apart(file, changed(spec, *change))
    assert terms == spoils
    assert said in told


@pytest.mark.parametrize("line", [FLASH, EXPERTS])
def test_a_gpu_that_is_the_plan_s_is_no_difference(line: str, tmp_path: Path, spec: Path) -> None:
    file = log(tmp_path, "chat-1  | Capturing", f"chat-1  | {line}chat-1  | Capturing")
    assert "warning" not in invoke(file, spec).output


def test_activation_of_another_batch_is_not_kept_of_a_log_that_names_no_gpu(spec: Path) -> None:
    """An A100 has a quarter of an H100's sequences by default, and its driver reports the same memory."""
    result = invoke(TWO_GPUS, changed(spec, *A100), "--save")
    assert result.exit_code == 3
    assert "activation is 4.0 times what is predicted, and the log says neither on which GPU" in result.output
    assert not (spec.parent / KEPT).exists()


def test_terms_that_are_more_than_a_gpu_together_replace_nothing(tmp_path: Path, spec: Path) -> None:
    """Each of them alone could be."""
    invoke(TWO_GPUS, spec, "--save", "--date", "2026-11-30")
    before = (spec.parent / KEPT).read_text()
    heavy = log(tmp_path, "Model loading took 7.5", "Model loading took 70.")
    result = invoke(heavy, spec, "--save", "--format", "json")
    assert result.exit_code == 3
    assert "KV cache 62.92 GiB on one GPU, 135." in result.stderr
    assert "a GPU has 79.19 GiB; nothing of it is kept" in result.stderr
    assert "nothing was saved: what the log has on one GPU is more than that GPU" in result.stderr
    assert [each["term"] for each in json.loads(result.stdout)["implausible"]][-1] == "sum"
    assert (spec.parent / KEPT).read_text() == before


def test_stages_that_each_fill_their_gpu_are_not_added_up(tmp_path: Path, spec: Path) -> None:
    """The first of two stages has the weights, the second the room that they leave."""
    text = TWO_GPUS.read_text().replace("took 7.51 GiB", "took 50.51 GiB")
    file = tmp_path / "start.log"
    file.write_text(
        text.replace("memory: 62.96 GiB", "memory: 19.96 GiB").replace("use is 62.96", "use is 19.96")
    )
    assert "on one GPU" not in invoke(file, spec).output


SGLANG = SPEC.replace("engine_version: 0.33.0", "engine: sglang").replace(
    "memory_fraction: 0.95", "memory_fraction: 0.9"
)


@pytest.mark.parametrize(
    ("before", "after", "terms", "said"),
    [
        ("", "", EVERY, "speculative_algorithm is EAGLE3 in the log and none in the plan"),
        (
            "speculative_algorithm='EAGLE3'",
            "disable_cuda_graph=True",
            {"activation", "cuda_graphs", *POOL},
            "True in the log and False in the plan",
        ),
        (
            "chunked_prefill_size=8192, tp_size=2, context_length=8192, lora_paths=[LoRARef(x=1)], "
            "speculative_algorithm='EAGLE3'",
            "chunked_prefill_size=2048, tp_size=2, context_length=8192",
            {"activation", *POOL},
            "max_num_batched_tokens is 2048 in the log",
        ),
        (
            "tp_size=2, context_length=8192, lora_paths=[LoRARef(x=1)], speculative_algorithm='EAGLE3'",
            "tp_size=1, context_length=8192",
            EVERY,
            "tensor_parallel_size is 1 in the log and 2 in the plan",
        ),
        (
            ", speculative_algorithm='EAGLE3'",
            ", quantization='fp8'",
            {"weights", *POOL},
            "quantization is fp8 in the log and its default in the plan",
        ),
    ],
    ids=["drafter", "without graphs", "steps", "split", "quantization"],
)
def test_a_log_of_sglang_with_another_setting_blames_no_term(
    before: str, after: str, terms: set[str], said: str, tmp_path: Path, spec: Path
) -> None:
    text = (LOGS / "sglang-0.5-two-gpus-drafter.log").read_text()
    assert before in text
    file = tmp_path / "sglang.log"
    text = text.replace(before, after) if before else text
    file.write_text(text.replace("=7.54 GB", "=4.27 GB") if "quantization" in after else text)
    spec.write_text(SGLANG)
    found, told = apart(file, spec)
    assert terms <= found <= {*terms, *POOL}, "the fraction is another one, too"
    assert said in told


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("loading took 7.51 GiB", "loading took nan GiB", 'weights of nan ("Model loading took nan GiB'),
        ("loading took 7.51 GiB", "loading took inf GiB", 'weights of inf ("Model loading took inf GiB'),
        ("tokens per request: 125.91x", "tokens per request: infx", "requests at full length of inf"),
        ("KV cache size: 1,031,424 tokens", "KV cache size: nan tokens", "it is no number"),
    ],
)
def test_what_is_no_number_is_refused_by_name(
    before: str, after: str, said: str, tmp_path: Path, spec: Path
) -> None:
    result = invoke(log(tmp_path, before, after), spec, "--save", "--date", "2026-11-30", "--format", "json")
    assert said in result.stderr and "neither compared nor kept" in result.stderr

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert json.loads(result.stdout, parse_constant=refuse)["implausible"]
    saved = spec.parent / KEPT
    assert not saved.exists() or calibration.parse(saved.read_text(), KEPT)[1] is None


# Where a correction counts


def test_an_error_that_rests_on_a_correction_names_it_and_its_file(tmp_path: Path, spec: Path) -> None:
    heavy = log(tmp_path, "2.69 GiB for peak activation", "60.8 GiB for peak activation")
    text = (
        heavy.read_text()
        .replace("memory: 62.96 GiB", "memory: 4.85 GiB")
        .replace("use is 62.96", "use is 4.85")
    )
    heavy.write_text(text.replace("'max_model_len': 8192", "'max_model_len': 8192, 'max_num_seqs': 1024"))
    saved = invoke(heavy, spec, "--save", "--date", "2026-11-30")
    assert saved.exit_code == 0, saved.output
    changed(spec, "context: 8192", "context: 131072")
    result = CliRunner().invoke(cli, ["validate", str(spec)])
    assert "error[LD304]" in result.output
    assert "= note: calibrated from a start on 2026-11-30 (vllm 0.33, h100-sxm-80gb): " in result.output
    assert f"to go without, remove that entry of `{KEPT}`" in result.output
    (spec.parent / KEPT).unlink()
    assert "LD304" not in CliRunner().invoke(cli, ["validate", str(spec)]).output


def test_a_correction_of_a_card_or_of_other_stages_is_none_of_a_slice(tmp_path: Path, spec: Path) -> None:
    heavy = log(tmp_path, "2.69 GiB for peak activation", "3.69 GiB for peak activation")
    assert invoke(heavy, spec, "--save", "--date", "2026-11-30").exit_code == 0
    staged = "gpus: 4\n    parallel: {tensor: 2, pipeline: 2}"
    for before, after in (
        ("gpus: 2", staged),
        ("{type: h100", "{resource: nvidia.com/mig-3g.40gb, type: h100"),
    ):
        if "resource" in after:
            text = SPEC.replace("gpus: 2", "gpus: 1").replace("docker: {}", "kubernetes: {}")
            spec.write_text(text.replace(before, after))
        else:
            changed(spec, before, after)
        (service,) = plan(spec).services
        assert service.memory and not any("calibrated" in note for note in service.memory.notes)

"""`llmdeploy init`, with stand-ins for nvidia-smi and rocm-smi on PATH that are really run."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from llmdeploy import catalog
from llmdeploy.cli import cli
from llmdeploy.compiler import compile
from llmdeploy.diagnostics import Severity
from llmdeploy.facts import machine
from llmdeploy.runtime.runner import CannotRun, Completed, Subprocess

SERVED = [gpu for gpu in catalog.gpus() if gpu.vendor in ("nvidia", "amd", "cpu")]

Tool = Callable[..., None]


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    """tool(name, stdout, status=0): puts a program of this name on a PATH that has no other."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.chdir(tmp_path)

    def put(name: str, stdout: str, status: int = 0, before: str = "") -> None:
        (folder / f"{name}.out").write_text(stdout)
        script = folder / name
        read = f'while IFS= read -r line; do printf "%s\\n" "$line"; done < "{folder}/{name}.out"'
        script.write_text(f"#!/bin/sh\n{before}\n{read}\nexit {status}\n")
        script.chmod(0o755)

    return put


def init(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["init", *arguments])


def written(*arguments: str) -> str:
    result = init(*arguments, "-o", "-")
    assert result.exit_code == 0, result.output
    return result.stdout


def data(*arguments: str) -> dict:
    return yaml.safe_load(written(*arguments))


def findings(text: str) -> list[str]:
    return [d.message for d in compile(text).diagnostics if d.severity is not Severity.NOTE]


@pytest.mark.parametrize("gpu", SERVED, ids=lambda gpu: gpu.id)
@pytest.mark.parametrize("count", [1, 3, 8])
def test_every_gpu_that_an_engine_serves_gets_a_file_without_findings(gpu: catalog.Gpu, count: int) -> None:
    assert findings(written("--gpu", gpu.id, "--count", str(count))) == []


@pytest.mark.parametrize("card", [card for gpu in SERVED for card in gpu.smi_names])
def test_every_name_that_nvidia_smi_prints_is_found_in_the_catalog(card: str, tool: Tool) -> None:
    tool("nvidia-smi", f"{card}, 46068, 0, 8.9\n")
    text = written()
    (pool,) = yaml.safe_load(text)["gpus"].values()
    assert pool["type"] == catalog.gpu_by_smi(card).id and pool["count"] == 1
    assert findings(text) == []


def test_nvidia_is_asked_for_what_is_read(tool: Tool) -> None:
    asked = (
        '[ "$*" = "--query-gpu=name,memory.total,index,compute_cap --format=csv,noheader,nounits" ] || exit 9'
    )
    tool("nvidia-smi", "NVIDIA L4, 23034, 0, 8.9\nNVIDIA L4, 23034, 1, 8.9\n", before=asked)
    assert data()["gpus"] == {"l4": {"type": "l4", "count": 2}}


def test_a_card_that_the_catalog_lacks_is_declared(tool: Tool) -> None:
    tool("nvidia-smi", "NVIDIA GeForce RTX 2080 Ti, 11264, 0, 7.5\n")
    text = written()
    assert yaml.safe_load(text)["gpus"] == {
        "rtx-2080-ti": {"vendor": "nvidia", "memory": "10GiB", "capability": "7.5", "count": 1}
    }
    assert yaml.safe_load(text)["models"]["chat"]["dtype"] == "float16"  # no bfloat16 before 8.0
    assert findings(text) == []


@pytest.mark.parametrize(
    ("gpu", "total_mib"),
    [("h200", 143771), ("a100", 81920), ("l40s", 46068), ("rtx-4090", 24564), ("l4", 23034), ("t4", 15360)],
)
def test_a_declared_card_never_has_more_than_a_process_gets(gpu: str, total_mib: int, tool: Tool) -> None:
    tool("nvidia-smi", f"NVIDIA Other, {total_mib}, 0, 9.0\n")
    known = catalog.gpu(gpu)
    (pool,) = data()["gpus"].values()
    assert known.memory_gib - 3 < int(pool["memory"].removesuffix("GiB")) <= known.memory_gib


def test_a_card_that_cannot_be_declared_is_named(tool: Tool) -> None:
    tool("nvidia-smi", "NVIDIA Future, [N/A], 0\n")
    result = init()
    assert result.exit_code == 2
    assert "`NVIDIA Future` is not in the catalog, and its memory and capability" in result.output
    assert "--gpu cpu" in result.output


def test_shared_memory_of_a_known_card_need_not_be_told(tool: Tool) -> None:
    tool("nvidia-smi", "NVIDIA GB10, [N/A], 0, 12.1\n")
    assert data()["gpus"] == {"gb10": {"type": "gb10", "count": 1}}


def test_cards_of_several_kinds_are_pools_with_their_own_devices(tool: Tool) -> None:
    rows = ["GeForce RTX 4090, 24564, 0, 8.9", "L40S, 46068, 1, 8.9", "GeForce RTX 4090, 24564, 2, 8.9"]
    tool("nvidia-smi", "".join(f"NVIDIA {row}\n" for row in rows))
    text = written()
    assert yaml.safe_load(text)["gpus"] == {
        "rtx-4090": {"type": "rtx-4090", "count": 2, "devices": [0, 2]},
        "l40s": {"type": "l40s", "count": 1, "devices": [1]},
    }
    assert findings(text) == []


def test_a_card_that_drives_a_display_is_left_out(tool: Tool) -> None:
    tool("nvidia-smi", "NVIDIA GeForce GT 710, 2048, 0, 3.5\nNVIDIA L4, 23034, 1, 8.9\n")
    text = written()
    assert yaml.safe_load(text)["gpus"] == {"l4": {"type": "l4", "count": 2, "devices": [1]}}
    assert findings(text) == []


def test_amd_is_asked_where_nvidia_is_absent(tool: Tool) -> None:
    card = {"Card Series": "AMD Instinct MI300X OAM", "VRAM Total Memory (B)": str(192 << 30)}
    warning = "WARNING: AMD GPU device(s) is/are in a low-power state\n"
    tool("rocm-smi", warning + json.dumps({"card1": card, "card0": card, "system": {}}) + "\n")
    assert data()["gpus"] == {"mi300x": {"type": "mi300x", "count": 2}}


def test_an_amd_card_that_the_catalog_lacks_is_declared(tool: Tool) -> None:
    card = {"Card series": "Radeon RX 7900 XTX", "VRAM Total Memory (B)": str((24 << 30) - 1)}
    tool("rocm-smi", json.dumps({"card0": card}) + "\n")
    text = written()
    assert yaml.safe_load(text)["gpus"] == {
        "radeon-rx-7900-xtx": {"vendor": "amd", "memory": "23GiB", "count": 1}
    }
    assert findings(text) == []


@pytest.mark.parametrize(
    ("stdout", "status", "said"),
    [
        ("", 0, "`nvidia-smi` lists no GPU"),
        (
            "NVIDIA-SMI has failed because it couldn't communicate with the driver.\n",
            9,
            "couldn't communicate",
        ),
        ("", 3, "exit status 3"),
        ("what is this\n", 0, "something that cannot be read"),
        ("NVIDIA L4, 23034, first, 8.9\n", 0, "something that cannot be read"),
    ],
)
def test_a_tool_without_an_answer_leaves_the_choice_to_the_user(
    stdout: str, status: int, said: str, tool: Tool, tmp_path: Path
) -> None:
    tool("nvidia-smi", stdout, status)
    result = init()
    assert result.exit_code == 2
    assert said in result.output and "`rocm-smi` is not installed" in result.output
    assert "`--gpu l40s --count 2`, or `--gpu cpu`" in result.output
    assert not (tmp_path / "llm.yaml").exists()


@pytest.mark.parametrize("stdout", ["", "{", "[]", '{"card0": 1}', "no JSON at all"])
def test_rocm_smi_may_say_anything(stdout: str, tool: Tool) -> None:
    tool("rocm-smi", stdout + "\n")
    assert init().exit_code == 2


def test_a_tool_that_hangs_is_given_up(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "TIMEOUT_S", 0.2)
    tool("nvidia-smi", "", before="while :; do :; done")
    result = init()
    assert result.exit_code == 2
    assert "`nvidia-smi` did not answer in 0.2 s" in result.output


def test_a_tool_that_is_no_program_is_said_so(tool: Tool, tmp_path: Path) -> None:
    (tmp_path / "bin" / "nvidia-smi").write_bytes(b"\x00\x01")
    (tmp_path / "bin" / "nvidia-smi").chmod(0o755)
    assert "`nvidia-smi` cannot be started: Exec format error" in init().output


def test_a_recording_runner_stands_in_for_the_real_one() -> None:
    class Recording:
        def __init__(self) -> None:
            self.calls: list[Sequence[str]] = []

        def run(self, argv: Sequence[str], timeout: float) -> Completed:
            self.calls.append(argv)
            return Completed(0, "NVIDIA L40S, 46068, 0, 8.9\n", "")

    runner = Recording()
    found = machine.machine(runner)
    assert [card.known and card.known.id for card in found.cards] == ["l40s"]
    assert runner.calls == [machine.NVIDIA_SMI]


def test_the_real_runner_gives_status_and_both_streams(tool: Tool) -> None:
    tool("say", "yes\n", 4, before="echo no >&2")
    assert Subprocess().run(["say"], 10) == Completed(4, "yes\n", "no\n")
    with pytest.raises(CannotRun, match="`other` is not installed"):
        Subprocess().run(["other"], 10)


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

"""What `llmdeploy init` finds out about the GPUs, with stand-ins for nvidia-smi and rocm-smi that are really run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from support.starter import Tool, data, findings, init, written

from llmdeploy import catalog
from llmdeploy.facts import machine
from llmdeploy.runtime.runner import CannotRun, Completed, Subprocess

SERVED = [gpu for gpu in catalog.gpus() if gpu.vendor in ("nvidia", "amd", "cpu")]


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

"""Start-up logs: those of real engines on the CPU, and of GPUs, made of the engines' format strings and public figures.

logs/NAME.log reads as NAME.json says. vllm-0.32-cpu and sglang-0.5.23-cpu were printed by the engines that
scripts/install_*.py install; the others spell the sources that llmdeploy/startlog names, around figures of
scripts/accuracy/memory_points.jsonl (vllm-0.33: 130 with its graphs estimated; vllm-0.19: 159; vllm-0.7: 69).
"""

from __future__ import annotations

import io
import json
from pathlib import Path

import msgspec
import pytest

from llmdeploy.startlog import Boot, StartLog, Unreadable, read

LOGS = sorted((Path(__file__).parent / "logs").glob("*.log"))


def log(text: str | bytes) -> StartLog:
    return read(io.BytesIO(text.encode() if isinstance(text, str) else text))


def boot(text: str | bytes) -> Boot:
    (boots,) = log(text).boots.values()
    return boots[-1]


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_a_log_reads_as_is_written_beside_it(path, golden_text):
    with path.open("rb") as file:
        found = msgspec.to_builtins(read(file))
    golden_text(path.with_suffix(".json"), json.dumps(found, indent=1) + "\n")


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem)
def test_however_it_was_kept_it_says_the_same(path):
    text = path.read_text(encoding="utf-8")
    plain = list(log(text).boots.values())
    stamped = "".join(f"2026-11-30T09:00:00.123456789Z {line}\n" for line in text.splitlines())
    kept = {
        "docker logs -t": stamped,
        "Windows line ends": text.replace("\n", "\r\n"),
        "PowerShell's >": text.encode("utf-16"),
        "coloured": text.replace("INFO", "\x1b[32mINFO\x1b[0m"),
        "no line break at the end": text.rstrip("\n"),
    }
    for how, spelled in kept.items():
        # The day is that of the timestamps, where the engine states none.
        assert [without_date(b) for b in log(spelled).boots.values()] == [without_date(b) for b in plain], how


def without_date(boots: tuple[Boot, ...]) -> list[Boot]:
    return [msgspec.structs.replace(each, date=None) for each in boots]


@pytest.mark.parametrize(
    ("prefix", "container"),
    [
        ("chat-1  | ", "chat-1"),
        ("hybrid-chat-2 | 2026-11-30T09:00:00.1Z ", "hybrid-chat-2"),
        ("[pod/chat-7d9f-x2/engine] ", "chat-7d9f-x2/engine"),
        ("2026-11-30T09:00:00.1Z ", ""),
    ],
)
def test_compose_and_kubectl_name_the_container(prefix, container):
    found = log(f"{prefix}INFO 11-30 09:00:00 [x.py:1] Model loading took 7.51 GiB memory and 7.1 seconds\n")
    assert list(found.boots) == [container]


def test_containers_that_print_in_turns_are_kept_apart():
    lines = ["a-1  | Model loading took 1.5 GiB", "b-1  | Model loading took 2.5 GiB"]
    lines += ["a-1  | Available KV cache memory: 3.5 GiB", "b-1  | Available KV cache memory: 4.5 GiB"]
    found = {name: boots[-1].measures for name, boots in log("\n".join(lines)).boots.items()}
    assert found == {
        "a-1": {"weights": {"": 1.5}, "kv": {"": 3.5}},
        "b-1": {"weights": {"": 2.5}, "kv": {"": 4.5}},
    }


def test_each_start_of_a_container_is_one_and_the_last_counts():
    (boots,) = log((Path(__file__).parent / "logs/vllm-0.19-restarted.log").read_bytes()).boots.values()
    assert [each.ready for each in boots] == [False, True]
    assert boots[0].failure and boots[0].failure.kind == "KV too small"
    assert boots[1].settings["max_model_len"] == "8192"


def test_requests_that_look_like_a_start_do_not_count_once_it_is_ready():
    text = "Model loading took 7.5 GiB\nApplication startup complete.\nPOST: 'Model loading took 99 GiB'\n"
    assert boot(text).measures["weights"] == {"": 7.5}


def test_the_model_of_a_drafter_is_not_taken_for_the_model():
    text = "non-default args: {'speculative_config': {'model': 'draft', 'n': [1, {'model': 'x'}]}, 'model': 'main'}"
    assert boot(text).model == "main"


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (
            "ValueError: Free memory on device cuda:1 (60.87/79.19 GiB) on startup is less than desired GPU memory "
            "utilization (0.95, 75.23 GiB).",
            "memory is not free",
        ),
        ("ValueError: No available memory for the cache blocks. Try increasing", "no room for KV"),
        (
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 3.50 GiB. GPU 0 has a total capacity of",
            "out of memory",
        ),
        ("RuntimeError: Engine core initialization failed. See root cause above.", "did not start"),
    ],
)
def test_a_failed_start_says_which_way_it_failed(line, kind):
    found = boot(
        f"(APIServer pid=1) INFO vLLM server version 0.33.0, serving model x\n(EngineCore pid=2) {line}"
    )
    assert found.failure and found.failure.kind == kind
    assert not found.ready


def test_the_reason_counts_and_not_that_the_processes_around_it_failed():
    found = boot(
        "(EngineCore pid=2) ERROR EngineCore failed to start.\n"
        "(EngineCore pid=2) ValueError: To serve at least one request with the model's max seq len (8192), (1.0 GiB KV "
        "cache is needed, which is larger than the available KV cache memory (0.5 GiB).\n"
        + "(APIServer pid=1)   File, in a traceback\n" * 80
        + "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above.\n"
    )
    assert found.failure and found.failure.kind == "KV too small"
    assert found.failure.line.startswith("ValueError: To serve at least one request")


def test_the_reason_is_found_above_the_traceback_of_who_waited():
    found = boot(
        "(EngineCore pid=2) ERROR EngineCore failed to start.\n(EngineCore pid=2) RuntimeError: the tensor is odd\n"
        + "(APIServer pid=1)   File, in a traceback\n" * 80
        + "(APIServer pid=1) RuntimeError: Engine core initialization failed. See root cause above.\n"
    )
    assert found.failure and found.failure.line == "RuntimeError: the tensor is odd"


def test_a_start_that_comes_up_in_spite_of_an_error_has_not_failed():
    found = boot("Model loading took 7.5 GiB\nCUDA out of memory\nApplication startup complete.")
    assert found.ready and found.failure is None


@pytest.mark.parametrize("content", [b"\x7fELF\0\0\0", "naïve\0".encode(), b"PK\3\4\0"])
def test_what_is_no_text_is_refused(content):
    with pytest.raises(Unreadable, match="it is not text"):
        log(content)


@pytest.mark.parametrize("text", ["", "\n\n", "hello\nworld\n"])
def test_a_text_without_a_start_has_none(text):
    assert not log(text).boots


def test_another_engine_is_known_by_sight():
    text = "2026-01-01T00:00:00Z  INFO text_generation_launcher: Setting max batch total tokens to 801568"
    assert log(text).other == "tgi"

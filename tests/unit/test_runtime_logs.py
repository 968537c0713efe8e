"""The one line that a log is reduced to."""

from __future__ import annotations

import json
import time

import pytest

from llmdeploy.runtime.logs import last_line, masked, reason

# What vLLM 0.32 wrote, shortened to the lines that matter here.
PYDANTIC = """\
  File ".../pydantic/_internal/_dataclasses.py", line 121, in __init__
    s.__pydantic_validator__.validate_python(ArgsKwargs(args, kwargs), self_instance=s)
pydantic_core._pydantic_core.ValidationError: 1 validation error for VllmConfig
  Value error, 2 heads are not 3. [type=value_error, input_value=ArgsKwargs((), {'mo...': 120}), input_type=X]
    For further information visit https://errors.pydantic.dev/2.14/v/value_error
"""
OF_A_FIELD = """\
pydantic_core._pydantic_core.ValidationError: 1 validation error for ParallelConfig
pipeline_parallel_size
  Input should be greater than or equal to 1 [type=greater_than_equal, input_value=0, input_type=int]
    For further information visit https://errors.pydantic.dev/2.14/v/greater_than_equal
"""
WITH_ADVICE = """\
pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig
  Value error, Invalid repository ID or local directory specified: './empty'.
Please verify the following requirements:
1. Provide a valid Hugging Face repository ID.
 [type=value_error, input_value=ArgsKwargs((), {'model': ...nderer_num_workers': 1}), input_type=ArgsKwargs]
    For further information visit https://errors.pydantic.dev/2.14/v/value_error
"""
HUB = """\
  File ".../huggingface_hub/_snapshot_download.py", line 382, in snapshot_download
    raise LocalEntryNotFoundError(
huggingface_hub.errors.LocalEntryNotFoundError: Cannot find an appropriate cached snapshot folder.

"""
ARGPARSE = """\
W1125 16:23:37.292000 4916 torch/_library/triton.py:53] Triton not available, find_triton_kernels = []
usage: vllm [-h] [-v]
            {chat,complete,serve}
            ...
vllm: error: unrecognized arguments: --no-such-flag 1
"""
CORE = """\
(EngineCore pid=8) WARNING 11-25 16:25:18 [system_utils.py:255] This can cause errors like `OSError: [Errno 24]`
(EngineCore pid=8) ERROR 11-25 16:25:28 [core.py:1510] EngineCore failed to start.
(EngineCore pid=8) ERROR 11-25 16:25:28 [core.py:1510] Traceback (most recent call last):
(EngineCore pid=8) ERROR 11-25 16:25:28 [core.py:1510]     raise ValueError(
(EngineCore pid=8) ERROR 11-25 16:25:28 [core.py:1510] ValueError: No available memory for the cache blocks.
(EngineCore pid=8) INFO 11-25 16:25:28 [core.py:1511] Bye
"""
FRONTEND = """\
    raise RuntimeError(
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
"""
WORKER = """\
(Worker_TP1 pid=6) ERROR 11-25 16:32:10 [multiproc_executor.py:953]     assert self.total_num_kv_heads % tp_size == 0
(Worker_TP1 pid=6) ERROR 11-25 16:32:10 [multiproc_executor.py:953]            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
(Worker_TP1 pid=6) ERROR 11-25 16:32:10 [multiproc_executor.py:953] AssertionError
(EngineCore pid=9) ERROR 11-25 16:32:14 [core.py:1510] Exception: WorkerProc initialization failed due to an \
exception in a background process. See stack trace for root cause.
"""
# SGLang's assertion, by its source. Python does not underline before 3.11, and never a whole line.
NOT_UNDERLINED = """\
  File ".../sglang/srt/models/llama.py", line 183, in __init__
    assert self.total_num_heads % tp_size == 0
AssertionError

[2026-11-25 16:32:14] Received sigquit from a child process. It usually means the child failed.
"""


def _prefixed(log: str) -> str:
    """As vLLM writes it where a log record holds the traceback."""
    return "".join(
        f"(EngineCore pid=8) ERROR 11-25 16:25:28 [core.py:1510] {line}\n" for line in log.split("\n")
    )


REASONS = {
    "no error": ("one\ntwo\n\n", "two"),
    "nothing": ("", "no log yet"),
    "only the word": ("There was no error at all\n", "There was no error at all"),
    "the last": ("ValueError: first\nKeyError: 'a'\nbye\n", "KeyError: 'a'"),
    "coloured": ("\x1b[31mKeyError: 'a'\x1b[0m\n", "KeyError: 'a'"),
    "after a progress bar": ("10%\r90%\rValueError: no\r\n", "ValueError: no"),
    "argparse": (ARGPARSE, "error: unrecognized arguments: --no-such-flag 1"),
    "of a module": (HUB, "LocalEntryNotFoundError: Cannot find an appropriate cached snapshot folder."),
    "in a log record": (CORE, "ValueError: No available memory for the cache blocks."),
    "one points at another": (CORE + FRONTEND, "ValueError: No available memory for the cache blocks."),
    "all point": ("Exception: See root cause above.\nbye\n", "bye"),
    "pydantic": (
        PYDANTIC,
        "ValidationError: 1 validation error for VllmConfig: Value error, 2 heads are not 3.",
    ),
    "pydantic, a field": (
        OF_A_FIELD,
        "ValidationError: 1 validation error for ParallelConfig: pipeline_parallel_size: "
        "Input should be greater than or equal to 1",
    ),
    "pydantic, with advice": (
        WITH_ADVICE,
        "ValidationError: 1 validation error for ModelConfig: "
        "Value error, Invalid repository ID or local directory specified: './empty'.",
    ),
    "without a message": (WORKER + FRONTEND, "AssertionError: assert self.total_num_kv_heads % tp_size == 0"),
    "not underlined": (NOT_UNDERLINED, "AssertionError: assert self.total_num_heads % tp_size == 0"),
}


@pytest.mark.parametrize(("log", "told"), list(REASONS.values()), ids=list(REASONS))
def test_the_reason_in_a_log(log: str, told: str) -> None:
    assert reason(log) == told


@pytest.mark.parametrize("log", [PYDANTIC, OF_A_FIELD, NOT_UNDERLINED, HUB])
def test_it_is_the_same_in_a_log_record(log: str) -> None:
    assert reason(_prefixed(log)) == reason(log)


def test_a_message_that_lists_all_that_would_be_right_is_cut() -> None:
    listed = f"KeyError: 'no parser nope ({','.join(f'parser{number}' for number in range(99))})'"
    for told in (reason(f"{listed}\n"), last_line(listed)):
        assert told.startswith("KeyError: 'no parser nope (parser0,") and told.endswith("…")
        assert len(told) == 300


@pytest.mark.parametrize("text", ["    a" * 13_000, "Error: " * 9_000, "a." * 32_000, "    x\n" * 10_000])
def test_a_strange_log_does_not_take_long(text: str) -> None:
    started = time.monotonic()
    reason(text)
    assert time.monotonic() - started < 2


def test_secrets_do_not_show() -> None:
    said = "args: Args { api_key: Some('k-1234'), port: 80 }"
    assert masked(said, ["k-1", "", "k-1234"]) == "args: Args { api_key: Some('[REDACTED]'), port: 80 }"


def test_secrets_do_not_show_however_they_are_written() -> None:
    key = "a'b\"c\\"
    said = f"{ {'api_key': key} } {json.dumps({'api_key': key})}"
    assert masked(said, [key]).count("[REDACTED]") == 2

"""The one line that a log is reduced to."""

from __future__ import annotations

import pytest

from llmdeploy.runtime.logs import reason


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("one\ntwo\n\n", "two"),
        ("", "no log yet"),
        (
            "ValueError: first\nRuntimeError: Engine core failed. See root cause above.\nbye\n",
            "ValueError: first",
        ),
        ("(Worker pid=1) ERROR 11-23 [core.py:1] ValueError: 3 heads\n  File x\n", "ValueError: 3 heads"),
        ("vllm serve: error: unrecognized arguments: --x\n", "error: unrecognized arguments: --x"),
        ("\x1b[31mKeyError: 'a'\x1b[0m\n", "KeyError: 'a'"),
        ("There was no error at all\n", "There was no error at all"),
    ],
)
def test_the_reason_in_a_log(log: str, told: str) -> None:
    assert reason(log) == told

"""Whatever stands in a log, reading it ends in a record or in the one refusal."""

from __future__ import annotations

import io
import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from llmdeploy.startlog import StartLog, Unreadable, read
from llmdeploy.startlog.reader import DIALECTS
from llmdeploy.startlog.settings import settings

REAL = [path.read_text(encoding="utf-8") for path in (Path(__file__).parent / "logs").glob("*.log")]
PIECES = [
    *(piece for dialect in DIALECTS for pattern in dialect.patterns for piece in pattern.text.split("<")),
    *("7.51 GiB", "-0.1", "1,2,3", "1.2.3 GiB", "9" * 400, "nan", "(Worker_TP0 pid=1) ", "[2026-11-30 00:00:00 TP1]"),
    *("server_args={", "non-default args: {", "'a': {" * 50, "\x1b[31m", "\r", "\n", "chat-1  | ", "\ufeff"),
]  # fmt: skip


def never_raises(content: bytes) -> None:
    try:
        found = read(io.BytesIO(content))
    except Unreadable:
        return
    assert isinstance(found, StartLog)
    for boots in found.boots.values():
        for boot in boots:
            values = [value for by_rank in boot.measures.values() for value in by_rank.values()]
            assert not any(math.isnan(value) for value in values)


@given(st.binary(max_size=400))
def test_any_bytes(content):
    never_raises(content)


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=40))
def test_any_heap_of_the_engines_own_words(pieces):
    never_raises("".join(pieces).encode("utf-8", "surrogatepass"))


@given(st.sampled_from(REAL), st.data())
def test_a_real_log_that_was_cut_or_garbled(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    junk = data.draw(st.text(max_size=20))
    never_raises((text[:start] + junk + text[end:]).encode("utf-8", "surrogatepass"))


@given(st.text(alphabet="{}[]()'\":=, ab1", max_size=200))
def test_any_line_of_arguments(text):
    assert all(isinstance(value, str) for value in settings(text).values())


def test_a_line_without_end_and_a_long_log_take_no_memory():
    class Endless(io.RawIOBase):
        left = 64

        def read(self, size: int = -1) -> bytes:
            self.left -= 1
            return b"x" * size if self.left > 0 else b""

    assert read(Endless()).boots == {}  # type: ignore[arg-type]

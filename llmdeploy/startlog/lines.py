"""From bytes to lines, whatever wrote them; and what stands before an engine's own words."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO, Protocol

LONGEST = 1 << 16
"""Characters of one line that are looked at; SGLang's line of arguments has 15,000."""
_CHUNK = 1 << 16
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# `chat-1  | …` of Compose, `[pod/chat-7d9/engine] …` of kubectl --prefix; the timestamp of either may follow.
_CONTAINER = re.compile(r"\[pod/(?P<pod>[\w./-]+)\] |(?P<name>[a-z0-9][\w.-]*) +\| ")
# `(Worker_DP0_TP1 pid=12)`, `(VllmWorker rank=1 pid=12)`, `(VllmWorkerProcess pid=12)` of V0, and SGLang's
# `[2026-11-30 00:49:32 DP0 TP1]`.
_WORKER = re.compile(
    r"\((?:Vllm|Ray)?(?:Worker|EngineCore)\w*?(?:_(?P<name>[A-Z]{2}\w*))?(?: rank=(?P<rank>\d+))?[ -]\S*?pid=\d+"
)
_OF_V0 = re.compile(r"\((?:VllmWorkerProcess|RayWorkerWrapper) pid=(?P<pid>\d+)")
_BRACKET = re.compile(r"\[20\d\d-\d\d-\d\d \d\d:\d\d:\d\d (?P<names>(?:[A-Z]{2,4}\d+ ?)+)\]")
_DATE = re.compile(r"\b(20\d\d-[01]\d-[0-3]\d)[T ][0-2]\d:")  # fmt: skip


class Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...


class NotText(ValueError):  # noqa: N818  a reason, read as "not text"
    """The stream holds something else."""


def blocks(stream: BinaryIO, digest: Digest) -> Iterator[list[str]]:
    """Yield lines, some hundred at a time, without colours; bars that overwrite themselves (`\\r`) are lines too.

    UTF-8, or UTF-16 with its mark, which is what PowerShell's `>` writes. Raises NotText for zero bytes.
    """
    chunk = stream.read(_CHUNK)
    encoding = "utf-16" if chunk[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    rest = ""
    while chunk:
        digest.update(chunk)
        text = rest + decoder.decode(chunk)
        if "\0" in text:
            raise NotText
        *whole, rest = _breaks(text)
        if len(rest) > LONGEST:
            whole, rest = [*whole, rest], ""
        yield [_plain(line) for line in whole if line]
        chunk = stream.read(_CHUNK)
    if rest:
        yield [_plain(rest)]


def _breaks(text: str) -> list[str]:
    """Split at every kind of break; a regex takes ten times as long, which long logs feel."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.split("\n")


def _plain(line: str) -> str:
    line = line[:LONGEST]
    return _ANSI.sub("", line) if "\x1b" in line else line


def container(line: str) -> str:
    """Return what Compose or kubectl wrote before the line, "" where nobody did."""
    found = _CONTAINER.match(line)
    return (found["pod"] or found["name"]) if found else ""


def rank(line: str) -> str:
    """Return what the engine calls the process that wrote the line; "" for the only one."""
    if found := _OF_V0.search(line):
        return f"pid {found['pid']}"
    if found := _WORKER.search(line):
        return found["name"] or (f"TP{found['rank']}" if found["rank"] else "")
    found = _BRACKET.search(line)
    return found["names"].strip().replace(" ", "_") if found else ""


def date(line: str) -> str | None:
    found = _DATE.search(line)
    return found[1] if found else None

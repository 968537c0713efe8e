"""Reads a log line by line: which engine, how often it started, and what the starts say."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict, deque
from functools import cache
from math import isfinite
from typing import BinaryIO

from llmdeploy.runtime.logs import reason
from llmdeploy.startlog import sglang, vllm
from llmdeploy.startlog.lines import NotText, blocks, container, date, rank
from llmdeploy.startlog.model import Boot, Dialect, Failure, Fold, StartLog
from llmdeploy.startlog.settings import settings
from llmdeploy.startlog.template import anchor, regex, values
from llmdeploy.startlog.terms import derived

DIALECTS = (vllm.DIALECT, sglang.DIALECT)
# Engines whose log is known by sight, and says nothing that could be compared.
_OTHERS = {"tgi": "text_generation_launcher", "openllm": "bentoml"}
_GPU = ("device_name=", re.compile(r"\bE=\d+,N=\d+,(?:K=\d+,)?device_name=(?P<name>\w[\w-]*)"))
"""The file of settings for the experts' kernel, which both engines name: fused_moe.py, get_config_file_name."""
_KEPT = 200
"""Lines that are kept for the reason of a failure: more than the traceback of the process that waited."""
_VAGUE = "did not start"


class Unreadable(ValueError):  # noqa: N818  a reason, read as "unreadable: …"
    """The file is no log at all; the message says what it is."""


class _Language:
    """A dialect, compiled."""

    def __init__(self, dialect: Dialect) -> None:
        self.engine = dialect.engine
        self.patterns = [(anchor(p.text), regex(p.text), p.fold) for p in dialect.patterns]
        self.starts = [re.compile(sign.regex) for sign in dialect.starts]
        self.settings = [re.compile(sign.regex) for sign in dialect.settings]
        self.ready = dialect.ready
        self.failures = [(kind, re.compile(sign.regex)) for kind, sign in dialect.failures.items()]
        signs = (*dialect.starts, *dialect.settings, *dialect.failures.values())
        self.words = {words for words, _, _ in self.patterns} | {
            words for sign in signs for words in sign.words
        }
        self.words |= set(dialect.ready)


@cache
def _languages() -> list[_Language]:
    return [_Language(dialect) for dialect in DIALECTS]


class _Boot:
    """One start while it is read. Several engines are followed until one of them has said something."""

    def __init__(self, day: str | None) -> None:
        self.date = day
        self.engine: str | None = None
        self.version: str | None = None
        self.asked: dict[str, str] = {}
        self.said: dict[str, str] = {}
        self.terms: dict[str, dict[str, float]] = defaultdict(dict)
        self.quotes: dict[str, str] = {}
        self.odd: set[str] = set()
        self.failure: Failure | None = None
        self.ready = False
        self.gpu: str | None = None

    @property
    def empty(self) -> bool:
        return not (self.terms or self.asked or self.said or self.version or self.failure)

    def add(self, term: str, who: str, value: float, fold: Fold) -> None:
        by_rank = self.terms[term]
        before = by_rank.get(who)
        if before is None or fold == "last":
            by_rank[who] = value
        elif fold == "sum":
            by_rank[who] = before + value
        elif fold == "min":
            by_rank[who] = min(before, value)

    def quote(self, term: str, value: float, words: str) -> None:
        """Keep what was said last, but for what is no number: that is what will be asked about."""
        if term not in self.odd or not isfinite(value):
            self.quotes[term] = words
        if not isfinite(value):
            self.odd.add(term)

    def told(self, groups: dict[str, str | None]) -> None:
        if version := groups.get("version"):
            self.version = self.version or version
        for key, value in settings(groups.get("asked") or "").items():
            self.asked.setdefault(key, value)
        for key, value in settings(groups.get("settings") or "").items():
            self.said.setdefault(key, value)

    def done(self, engine: str, last: deque[str]) -> Boot:
        failure = self.failure
        measures = derived(self.terms, {**self.said, **self.asked})
        left = min(measures.get("kv", {}).values(), default=1.0)
        if failure is None and left < 0:  # the log ends before the error that must follow
            failure = Failure("no room for KV", f"{left:.2f} GiB are left for the KV cache")
        if failure is not None and failure.kind == _VAGUE:
            failure = Failure(failure.kind, reason("\n".join(last)))
        said = {**self.said, **self.asked}
        return Boot(
            engine=self.engine or engine,
            version=self.version,
            model=said.get("model_tag") or said.get("model_path") or said.get("model"),
            asked=self.asked,
            settings=said,
            measures=measures,
            quotes=self.quotes,
            failure=None if self.ready else failure,
            ready=self.ready,
            date=self.date,
            gpu=self.gpu,
        )


class _Container:
    """What one container prints: boot after boot."""

    def __init__(self, languages: list[_Language]) -> None:
        self.languages = languages
        self.boots: list[Boot] = []
        self.boot = _Boot(None)
        self.last: deque[str] = deque(maxlen=_KEPT)

    def passed(self, text: str) -> None:
        """A line that says nothing by itself; it may be the reason of a failure."""
        if not self.boot.ready:
            self.last.append(text)

    def line(self, text: str) -> None:
        self.passed(text)
        for language in self.languages:
            if any(found := sign.search(text) for sign in language.starts):
                self._begin(language, text)
                assert found
                self.boot.told(found.groupdict())
                return
        if self.boot.ready:
            return  # requests, until it starts again
        if _GPU[0] in text and (named := _GPU[1].search(text)):
            self.boot.gpu = self.boot.gpu or named["name"]
        for language in self.languages:
            if self.boot.engine in (None, language.engine):
                self._look(language, text)

    def _begin(self, language: _Language, text: str) -> None:
        """A start, unless the boot has only just begun: an engine may say its version in two ways."""
        if self.boot.terms or self.boot.failure or self.boot.ready:
            self.end()
        self.boot.engine = language.engine
        self.boot.date = self.boot.date or date(text)

    def _look(self, language: _Language, text: str) -> None:
        boot = self.boot
        for sign in language.settings:
            if found := sign.search(text):
                boot.engine = language.engine
                boot.told(found.groupdict())
                return
        who = None
        for words, pattern, fold in language.patterns:
            if words not in text:
                continue
            for found in pattern.finditer(text):
                who = rank(text) if who is None else who
                boot.engine = boot.engine or language.engine
                for term, value in values(found).items():
                    boot.add(term, who, value, fold)
                    boot.quote(term, value, text[text.rfind(" ", 0, found.start() + 1) + 1 : found.end()])
        for kind, sign in language.failures:
            vague = boot.failure is None or (boot.failure.kind == _VAGUE and kind != _VAGUE)
            if vague and sign.search(text):
                boot.failure = Failure(kind, reason(text))
        boot.ready = boot.engine == language.engine and any(words in text for words in language.ready)

    def end(self) -> None:
        if not self.boot.empty:
            self.boots.append(self.boot.done(self.languages[0].engine, self.last))
        self.boot = _Boot(None)
        self.last.clear()


def read(stream: BinaryIO) -> StartLog:
    """Read a log to its end, in memory that does not grow with it. Raises Unreadable for what is no text."""
    languages = _languages()
    words = {_GPU[0], *_OTHERS.values(), *(each for language in languages for each in language.words)}
    found: dict[str, _Container] = {}
    digest = hashlib.sha256()
    count, other = 0, None
    try:
        for block in blocks(stream, digest):
            count += len(block)
            # A look at the whole block spares most lines of a long log the look at each of them.
            text = "\n".join(block)
            present = [each for each in words if each in text]
            for line in block:
                name = container(line)
                if name not in found:
                    found[name] = _Container(languages)
                if not any(each in line for each in present):
                    found[name].passed(line)
                    continue
                found[name].line(line)
                if other is None:
                    other = next((engine for engine, each in _OTHERS.items() if each in line), None)
    except NotText:
        raise Unreadable("it is not text") from None
    for each in found.values():
        each.end()
    boots = {name: tuple(each.boots) for name, each in found.items() if each.boots}
    return StartLog(boots, digest.hexdigest(), count, other)

"""A runner that runs nothing: it writes down what it is asked to run, and answers from a table."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from llmdeploy.runtime.runner import Completed

T = TypeVar("T")
Argv = tuple[str, ...]
Rule = str | Argv | Callable[[Argv], bool]
"""Text that is in the command line, its first words, or a function that says whether it is meant."""
Answer = Completed | Exception | Callable[[Argv], Completed]


def said(stdout: str = "", status: int = 0, stderr: str = "") -> Completed:
    return Completed(status, stdout, stderr)


def refused(stderr: str, status: int = 1) -> Completed:
    return Completed(status, "", stderr)


@dataclass
class Clock:
    """Time that goes on only when someone sleeps; `events` happen at their second."""

    now: float = 0
    events: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for due in [each for each in self.events if each[0] <= self.now]:
            self.events.remove(due)
            due[1]()

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeRunning:
    """A program that runs until `ends_s` of the clock with `ending`, or until it is asked to end."""

    log: Path
    clock: Clock
    ends_s: float
    ending: int
    output: str
    last_words: str = ""
    signals: list[signal.Signals] = field(default_factory=list)
    _killed: int | None = None

    @property
    def status(self) -> int | None:
        if self._killed is None and self.clock.now < self.ends_s:
            return None
        self.log.write_text(self.output)
        return self.ending if self._killed is None else self._killed

    def signal(self, number: signal.Signals) -> None:
        if self.status is None:
            self.output += self.last_words
            self._killed = -number
        self.signals.append(number)

    def reap(self, timeout: float) -> bool:
        return self.status is not None


@dataclass(frozen=True)
class Ending:
    """How a program that is started will end: when, with which status, and what it will have said."""

    after_s: float = 0
    status: int = 0
    output: str = ""
    when_ended: str = ""


class RecordingRunner:
    """`answers` are tried in their order, and a list of them is used up until its last; see `says`."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.commands: list[Argv] = []
        self.started: list[tuple[Argv, FakeRunning]] = []
        self._answers: list[tuple[Rule, list[Answer]]] = []
        self._endings: list[tuple[Rule, Ending]] = []

    def says(self, rule: Rule, *answers: Answer | str) -> RecordingRunner:
        """Answer commands that fit; a later rule goes before an earlier one."""
        made = [said(each) if isinstance(each, str) else each for each in answers]
        self._answers.insert(0, (rule, made))
        return self

    def ends(self, rule: Rule, ending: Ending) -> RecordingRunner:
        self._endings.insert(0, (rule, ending))
        return self

    def run(self, argv: Sequence[str], timeout: float) -> Completed:
        command = tuple(argv)
        self.commands.append(command)
        answers = _found(self._answers, command)
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Completed) else answer(command)

    def start(self, argv: Sequence[str], log: Path) -> FakeRunning:
        command = tuple(argv)
        end = _found(self._endings, command)
        log.write_text("")
        child = FakeRunning(
            log, self.clock, self.clock.now + end.after_s, end.status, end.output, end.when_ended
        )
        self.started.append((command, child))
        return child

    def ran(self, rule: Rule) -> list[Argv]:
        """Return the commands that fit, started ones too."""
        return [each for each in (*self.commands, *(argv for argv, _ in self.started)) if _fits(rule, each)]


def _fits(rule: Rule, command: Argv) -> bool:
    if isinstance(rule, str):
        return rule in " ".join(command)
    return command[: len(rule)] == rule if isinstance(rule, tuple) else rule(command)


def _found(table: Iterable[tuple[Rule, T]], command: Argv) -> T:
    for rule, answer in table:
        if _fits(rule, command):
            return answer
    raise AssertionError(f"nobody expected: {' '.join(command)}")

"""An engine's own parser and configuration check, in a process of the engine's Python."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from msgspec import Struct, field
from msgspec.structs import asdict

from llmdeploy.runtime import logs
from llmdeploy.runtime.runner import CannotRun, Dialogue

INSIDE = Path(__file__).parent / "inside"

GREETING_S = 30.0
"""Python alone has to start."""
IMPORT_S = 180.0
"""Importing an engine takes 5 to 16 s, and several times that on a loaded machine or a cold disk."""
ANSWER_S = 120.0
"""A fraction of a second, but for the first model of an architecture: vLLM imports that in one more process."""

Stage = Literal["arguments", "configuration"]


class CannotAsk(Exception):  # noqa: N818  a reason, read as "cannot ask: …"
    """The engine gives no answer; the text says why."""


class Question(Struct, frozen=True):
    """A command line and the machine it is for; with `config_dir`, which has config.json, the whole configuration.

    `argv` follows `vllm serve` or `sglang serve`; `env` is what it adds to the environment.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    config_dir: str | None = None
    gpus: int = 8
    capability: tuple[int, int] = (9, 0)
    memory_gib: float = 80


class Complaint(Struct, frozen=True):
    """What the engine refuses, in its own words."""

    stage: Stage
    text: str


class Judge:
    """One engine, asked as often as one likes; closed by leaving it as a context.

    `version` is known at once, without importing the engine; None where its package is not installed.
    """

    def __init__(self, engine: str, python: Path, env: Mapping[str, str] | None = None) -> None:
        self._ready = False
        try:
            self._process = Dialogue([str(python), str(script(engine))], {**_environ(python), **(env or {})})
        except CannotRun as error:
            raise CannotAsk(str(error)) from error
        try:
            self.version: str | None = self._heard(GREETING_S)["version"]
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def complaint(self, question: Question) -> Complaint | None:
        """Return what the engine has against it; None where it takes it. Raises CannotAsk."""
        self._import()
        self._process.tell(json.dumps(asdict(question)))
        answer = self._heard(ANSWER_S)
        match answer["stage"]:
            case None:
                return None
            case "arguments" | "configuration" as stage:
                return Complaint(stage, str(answer["error"]))
        raise CannotAsk(f"the engine died over it: {answer['error']}")

    def close(self) -> None:
        self._process.close()

    def _import(self) -> None:
        if self._ready:
            return
        answer = self._heard(IMPORT_S)
        if not answer["ready"]:
            raise CannotAsk(f"it cannot be imported: {answer['error']}")
        self._ready = True

    def _heard(self, limit_s: float) -> dict[str, Any]:
        try:
            line = self._process.hear(limit_s)
        except CannotRun as error:
            said = self._process.log()
            raise CannotAsk(f"{error}: {logs.reason(said)}" if said.strip() else str(error)) from error
        try:
            return _Answer(json.loads(line))
        except (ValueError, TypeError):
            raise CannotAsk("its Python said something else than an answer") from None


class _Answer(dict[str, Any]):
    """An answer that is short of what it must say is none."""

    def __missing__(self, key: str) -> Any:
        raise CannotAsk(f"its Python gave an answer without `{key}`")


def _environ(python: Path) -> dict[str, str]:
    """Leave out the engine's variables, which come with each question, and what is set for another Python."""
    others = ("VLLM_", "SGLANG_", *(() if python == Path(sys.executable) else ("PYTHON",)))
    return {name: value for name, value in os.environ.items() if not name.startswith(others)}


def script(engine: str) -> Path:
    """Return the program that the engine's Python runs; there is none for an engine without a parser in Python."""
    return INSIDE / f"{engine}_judge.py"


def can_be_asked(engine: str) -> bool:
    return script(engine).is_file()


def after_serve(argv: Sequence[str]) -> tuple[str, ...]:
    """Return what an engine's own parser sees of a container's command line."""
    words = list(argv)
    return tuple(words[words.index("serve") + 1 :])

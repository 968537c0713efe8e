"""Questions in, answers out, one JSON object a line: how the judges beside this file are spoken to.

They are run by the engine's own Python and need nothing of llmdeploy. Unasked, a judge says two things:

    {"version": "0.33.0"}       at once; null where the engine's package is not installed
    {"ready": true}             when the engine is imported, which takes seconds; or {"ready": false, "error": "…"}

Then each request is answered by a line, in order:

    {"argv": ["MODEL", "--flag", …],     what follows `vllm serve` or `sglang serve`
     "env": {"VLLM_…": "…"},             what the container adds to its environment
     "config_dir": "DIR",                optional: a folder with config.json; the configuration is then judged too
     "gpus": 8, "capability": [9, 0], "memory_gib": 80}     the machine to judge for

    {"stage": null}                                  it is taken
    {"stage": "arguments", "error": "…"}             the parser refuses it, in its own words
    {"stage": "configuration", "error": "…"}         the configuration check does
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

Stage = Callable[[str], None]
Judge = Callable[[Mapping[str, Any], Stage], None]
"""Judges a request, and says what it is at; raises whatever the engine raises."""


def serve(engine: str, load: Callable[[], Judge]) -> None:
    """Answer what comes on stdin until it ends."""
    # Libraries print while they are imported, also from C: the answers have a descriptor of their own.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(**answer: Any) -> None:
        print(json.dumps(answer), file=answers, flush=True)

    version = installed(engine)
    say(version=version)
    if version is None:
        return
    try:
        judge = load()
    except (Exception, SystemExit) as error:
        say(ready=False, error=reason(error))
        return
    say(ready=True)
    for line in sys.stdin:
        # A process for each: engines change their defaults and the environment as they go, and remember the GPU
        # that they saw first. Forking a warm one takes milliseconds, importing it seconds.
        if child := os.fork():
            if status := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
                say(stage="died", error=f"status {status}")
        else:
            say(**verdict(judge, json.loads(line)))
            os._exit(0)


def installed(engine: str) -> str | None:
    """Return the version of the engine's package, without importing it."""
    if importlib.util.find_spec(engine) is None:
        return None
    try:
        return importlib.metadata.version(engine)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def verdict(judge: Judge, request: Mapping[str, Any]) -> dict[str, Any]:
    said, stages = io.StringIO(), ["arguments"]
    os.environ.update(request.get("env", {}))
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            judge(request, stages.append)
    except SystemExit as exit:
        if exit.code:
            return {"stage": stages[-1], "error": printed(said.getvalue())}
    except Exception as error:
        return {"stage": stages[-1], "error": reason(error)}
    return {"stage": None}


def printed(text: str) -> str:
    """Return what argparse has to say, behind its usage; of pydantic, which may speak through it, the words alone."""
    _, found, said = text.rpartition(": error: ")
    lines = (said if found else text.strip().rpartition("\n")[2]).splitlines()
    words = (
        line.partition(" [type=")[0].strip() for line in lines if "For further information visit" not in line
    )
    return " ".join(words)


def reason(error: BaseException) -> str:
    """Return the engine's words; where pydantic wraps them, the field and the words alone."""
    if type(error).__name__ == "ValidationError" and hasattr(error, "errors"):
        return "; ".join(map(_detail, error.errors()))
    return f"{type(error).__name__}: {error}"


def _detail(detail: Mapping[str, Any]) -> str:
    field = ".".join(map(str, detail["loc"]))
    said = str(detail["msg"]).removeprefix("Value error, ")
    return f"{field}: {said}" if field else said

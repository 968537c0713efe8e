"""Boots what llmdeploy compiled, as the smoke test's process runtime does, and keeps the engine's log."""

from __future__ import annotations

import os
import shutil
import socket
import time
from pathlib import Path

from msgspec import Struct

from llmdeploy.plan.model import Service
from llmdeploy.runtime.http import Client, Unreachable
from llmdeploy.runtime.runner import Child, stop
from llmdeploy.runtime.smoke.local import HOST, Site, command

_GRACE_S = 15.0
_PERIOD_S = 0.25


class Booted(Struct, frozen=True):
    """`ready_s` is None where it never answered its probe; `ended` its exit status, where it ended by itself."""

    ready_s: float | None
    ended: int | None
    chat: str | None


def boot(service: Service, directory: Path, engine: Path, log: Path, limit_s: float) -> Booted:
    """Start the compiled argv, wait until it is ready, ask it once and end it. `directory` holds llm.yaml."""
    port = _free_port()
    home = log.parent / f"{log.stem}.home"
    home.mkdir(parents=True, exist_ok=True)
    compiled = command(service, 0, port, Site(directory, home, os.environ))
    path = os.pathsep.join([str(engine), os.environ.get("PATH", "")])
    program = shutil.which(compiled.argv[0], path=path)
    if program is None:
        raise FileNotFoundError(f"`{compiled.argv[0]}` is not in {engine}")
    child = Child((program, *compiled.argv[1:]), {**os.environ, "PATH": path, **compiled.env}, log)
    started = time.monotonic()
    try:
        ready = _ready(child, port, service.probes.startup.path, started + limit_s)
        took = time.monotonic() - started if ready else None
        answer = _chat(port, service.served_names[0]) if ready else None
        return Booted(took, child.status, answer)
    finally:
        stop([child], _GRACE_S)


def _ready(child: Child, port: int, path: str, end: float) -> bool:
    client = Client(f"http://{HOST}:{port}", deadline_s=5)
    while child.status is None and time.monotonic() < end:
        try:
            if client.get(path).status == 200:
                return True
        except Unreachable:
            pass
        time.sleep(_PERIOD_S)
    return False


def _chat(port: int, name: str) -> str:
    """Return the status of one answer and its number of tokens, or why there was none."""
    asked = {"model": name, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 16}
    try:
        answer = Client(f"http://{HOST}:{port}", deadline_s=60).post("/v1/chat/completions", asked)
        tokens = answer.json()["usage"]["completion_tokens"] if answer.status == 200 else "no"
    except (Unreachable, ValueError, LookupError) as why:
        return f"no answer: {why}"
    return f"{answer.status}, {tokens} tokens"


def _free_port() -> int:
    with socket.socket() as made:
        made.bind((HOST, 0))
        return int(made.getsockname()[1])

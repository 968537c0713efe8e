"""Boots an argv on a free port as the smoke test's process runtime does, and keeps the engine's log.

A boot is begun before its turn: it imports, and waits at its gate (ahead/) until the card is its own.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from llmdeploy.plan.model import Service
from llmdeploy.runtime.http import Client, Unreachable
from llmdeploy.runtime.runner import Child, stop
from llmdeploy.runtime.smoke.local import HOST, Site, command

_AHEAD = Path(__file__).resolve().parent / "ahead"
_GRACE_S = 15.0
_PERIOD_S = 0.1
_FREED_S = 20.0
_IDLE_MIB = 1024


class Begun(Struct, frozen=True):
    """A boot that waits at its gate, or has passed it."""

    child: Child
    port: int
    gate: Path

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def at_gate(self, limit_s: float) -> bool:
        """Wait until all is imported. False where it ended before, or takes longer."""
        end = time.monotonic() + limit_s
        reached = Path(f"{self.gate}.reached")
        while not reached.exists():
            if self.child.status is not None or time.monotonic() > end:
                return False
            time.sleep(_PERIOD_S)
        return True

    def ready(self, path: str, limit_s: float) -> float | None:
        """Open the gate and return the seconds until the probe is answered; None where it never was."""
        started = time.monotonic()
        self.gate.touch()
        client = Client(self.url, deadline_s=5)
        while self.child.status is None and time.monotonic() < started + limit_s:
            try:
                if client.get(path).status == 200:
                    return time.monotonic() - started
            except Unreachable:
                pass
            time.sleep(_PERIOD_S)
        return None

    def end(self) -> None:
        """End it, and wait until the card has its memory back."""
        stop([self.child], _GRACE_S)
        end = time.monotonic() + _FREED_S
        while _used_mib() > _IDLE_MIB and time.monotonic() < end:
            time.sleep(_PERIOD_S)


def begin_service(service: Service, directory: Path, engine: Path, log: Path) -> Begun:
    """Begin what llmdeploy compiled. `directory` holds llm.yaml."""
    port = free_port()
    home = log.parent / f"{log.stem}.home"
    home.mkdir(parents=True, exist_ok=True)
    compiled = command(service, 0, port, Site(directory, home, os.environ))
    return begin(compiled.argv, compiled.env, port, engine, log)


def begin(argv: Sequence[str], env: Mapping[str, str], port: int, engine: Path, log: Path) -> Begun:
    """Begin an argv that serves on `port`, with the programs of `engine`."""
    path = os.pathsep.join([str(engine), os.environ.get("PATH", "")])
    program = shutil.which(argv[0], path=path)
    if program is None:
        raise FileNotFoundError(f"`{argv[0]}` is not in {engine}")
    gate = log.parent.resolve() / f"{log.stem}.gate"
    for old in (gate, Path(f"{gate}.reached")):
        old.unlink(missing_ok=True)
    ours = {
        "PATH": path,
        "LLMDEPLOY_GPU_GATE": str(gate),
        "PYTHONPATH": os.pathsep.join(filter(None, (str(_AHEAD), os.environ.get("PYTHONPATH")))),
    }
    return Begun(Child((program, *argv[1:]), {**os.environ, **ours, **env}, log), port, gate)


def free_port() -> int:
    with socket.socket() as made:
        made.bind((HOST, 0))
        return int(made.getsockname()[1])


def _used_mib() -> int:
    query = ("nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits")
    try:
        return int(subprocess.run(query, capture_output=True, text=True, timeout=30).stdout.split()[0])
    except (OSError, IndexError, ValueError):
        return 0

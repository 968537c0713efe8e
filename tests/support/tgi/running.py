"""The stand-in as a process, for tests: on the loopback, with ports of its own, ended by its id."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from llmdeploy.runtime.http import Client
from support import tgi
from support.upstream import free_port

_READY_S = 20


@dataclass(frozen=True)
class Running:
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def client(self, key: str | None = None) -> Client:
        return Client(f"http://127.0.0.1:{self.port}", key, deadline_s=20)

    def raw(self, method: str, path: str, body: str = "", **headers: str) -> http.client.HTTPResponse:
        """One request as it is said here; for what only a header shows."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.request(
            method, path, body, {name.replace("_", "-"): each for name, each in headers.items()}
        )
        return connection.getresponse()


def environment(model: Path, **more: str) -> dict[str, str]:
    """Return the variables for a model. Its ports are free ones: tests run beside each other."""
    ports = {"PORT": str(free_port()), "PROMETHEUS_PORT": str(free_port())}
    return {"MODEL_ID": str(model), "HOSTNAME": "127.0.0.1", "HF_HUB_OFFLINE": "1", **ports, **more}


def ended(model: Path, *argv: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run it where it ends by itself."""
    env = {"PATH": os.environ["PATH"], **environment(model, **more)}
    program = tgi.program(model.parent)
    return subprocess.run([program, *argv], env=env, capture_output=True, text=True, timeout=20)


@contextmanager
def started(folder: Path, **more: str) -> Iterator[Running]:
    """Run it until the end of the block, on a model that is made in the folder."""
    env = environment(tgi.model(folder / "model"), **more)
    log = folder / "log"
    with log.open("wb") as file:
        whole = {"PATH": os.environ["PATH"], **env}
        process = subprocess.Popen([tgi.program(folder)], env=whole, stdout=file, stderr=file)
    running = Running(process, int(env["PORT"]), log)
    try:
        _until_ready(running)
        yield running
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def _until_ready(running: Running) -> None:
    end = time.monotonic() + _READY_S
    while time.monotonic() < end:
        assert running.process.poll() is None, running.log.read_text()
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", running.port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError(running.log.read_text())

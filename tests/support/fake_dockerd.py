"""A docker daemon that runs nothing: docker's own command line talks to it, and it keeps what was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Daemon(ThreadingHTTPServer):
    """`containers` has the body of each `POST /containers/create`, by name."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Api)
        self.containers: dict[str, dict[str, Any]] = {}
        self.changes: list[str] = []

    @property
    def host(self) -> str:
        return f"tcp://127.0.0.1:{self.server_address[1]}"


class _Api(BaseHTTPRequestHandler):
    server: Daemon
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        match self._path():
            case ["_ping"]:
                self._answer(200, "OK")
            case ["version"]:
                self._answer(200, {"Version": "27.0.0", "ApiVersion": "1.46", "Os": "linux", "Arch": "amd64"})
            case ["containers", "json"]:
                self._answer(200, [])
            case ["containers", name, "json"] if name in self.server.containers:
                self._answer(200, self._container(name))
            case _:
                self._answer(404, {"message": "No such thing"})

    do_HEAD = do_GET  # noqa: N815  http.server's own name

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        path = self._path()
        self.server.changes.append("/".join(path))
        if path == ["containers", "create"]:
            (name,) = parse_qs(urlsplit(self.path).query)["name"]
            self.server.containers[name] = body
            self._answer(201, {"Id": name, "Warnings": []})
        elif path[-1] == "create":
            self._answer(201, {"Id": body["Name"], "Name": body["Name"]})
        else:
            self._answer(204 if path[-1] == "start" else 200, "")

    def _path(self) -> list[str]:
        parts = urlsplit(self.path).path.strip("/").split("/")
        return parts[1:] if parts[0].startswith("v1.") else parts

    def _container(self, name: str) -> dict[str, Any]:
        state = {"Running": True, "Status": "running", "Health": {"Status": "healthy"}}
        return {
            "Id": name,
            "Name": name,
            "State": state,
            "RestartCount": 0,
            "Config": self.server.containers[name],
        }

    def _answer(self, status: int, body: Any) -> None:
        text = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Api-Version", "1.46")
        self.send_header("Ostype", "linux")
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def dockerd() -> Iterator[Daemon]:
    with Daemon() as daemon:
        threading.Thread(target=daemon.serve_forever, daemon=True).start()
        yield daemon
        daemon.shutdown()

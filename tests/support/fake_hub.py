"""A Hub for the real huggingface_hub client: model_info, and files with byte ranges, on 127.0.0.1."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "c" * 40


@dataclass
class FakeHub:
    """Serves the files of `folder` as the repository org/model. `answer` is a status (and X-Error-Code) for all else."""

    folder: Path
    url: str = ""
    token: str | None = None
    answer: tuple[int, str] | None = None
    slow_s: float = 0.0
    asked: list[str] = field(default_factory=list)
    sent: int = 0

    def info(self) -> dict[str, object]:
        names = sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*"))
        return {"id": "org/model", "sha": COMMIT, "siblings": [{"rfilename": name} for name in names]}


@contextmanager
def serving(hub: FakeHub) -> Iterator[FakeHub]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.asked.append(self.path)
            time.sleep(hub.slow_s)
            if hub.answer:
                self._send(hub.answer[0], b"{}", {"X-Error-Code": hub.answer[1]})
            elif hub.token and self.headers.get("Authorization") != f"Bearer {hub.token}":
                self._send(401, b"{}", {"X-Error-Code": "GatedRepo"})
            elif re.fullmatch(rf"/api/models/org/model(/revision/(main|v1|{COMMIT}))?", self.path):
                self._send(200, json.dumps(hub.info()).encode(), {"Content-Type": "application/json"})
            elif self.path.startswith("/api/models/org/model/"):
                self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            elif found := re.fullmatch(rf"/org/model/resolve/{COMMIT}/(.+)", self.path):
                self._file(hub.folder / found[1])
            else:
                self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"})

        def _file(self, path: Path) -> None:
            content = path.read_bytes()
            wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
            part = content[int(wanted[1]) : int(wanted[2]) + 1] if wanted else content
            self._send(206 if wanted else 200, part, {})

        def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            hub.sent += len(body)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""A proxy that does one thing wrong, in front of a gateway that does nothing wrong."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

Change = Callable[[dict[str, Any]], dict[str, Any]]


def without_response_format(request: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in request.items() if key != "response_format"}


@contextmanager
def proxy(
    upstream: str,
    change: Change = lambda request: request,
    *,
    buffered: bool = False,
    key: str | None = None,
) -> Iterator[str]:
    """Pass everything on until the end of the block; with requests changed, with answers held back until they
    are whole, or with a `key` for whoever comes.
    """
    host = urlsplit(upstream).netloc

    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self.relay(None)

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            self.relay(json.dumps(change(json.loads(self.rfile.read(length)))).encode())

        def relay(self, body: bytes | None) -> None:
            connection = http.client.HTTPConnection(host, timeout=60)
            kept = {
                name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers
            }
            if key:
                kept["Authorization"] = f"Bearer {key}"
            connection.request(self.command, self.path, body, kept)
            answer = connection.getresponse()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
            self.end_headers()
            if buffered:
                self.wfile.write(answer.read())
            else:
                while block := answer.read1():
                    self.wfile.write(block)
            connection.close()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()

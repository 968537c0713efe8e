"""HTTP: routes, the key, bodies, streams, and the end."""

from __future__ import annotations

import json
import socketserver
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from support.tgi import api, requests
from support.tgi.api import Answer, Endpoint
from support.tgi.log import Log
from support.tgi.router import Router, address
from support.tgi.serde import DataError, Kind, SyntaxFault, read
from support.tgi.validation import Rejected

# Behind the key, where there is one.
PROTECTED: dict[str, tuple[Kind, Endpoint]] = {
    "/": (requests.COMPAT, api.compat),
    "/generate": (requests.GENERATE, api.generate),
    "/generate_stream": (requests.GENERATE, api.generate_stream),
    "/v1/chat/completions": (requests.CHAT, api.chat),
    "/v1/completions": (requests.COMPLETION, api.completions),
    "/vertex": (requests.VERTEX, api.vertex),
    "/invocations": (api.SAGEMAKER, api.invocations),
    "/tokenize": (requests.GENERATE, api.tokenize),
}
# For everybody, always.
OPEN_POST: dict[str, tuple[Kind, Endpoint]] = {"/chat_tokenize": (requests.CHAT, api.chat_tokenize)}
OPEN_GET: dict[str, Callable[[Router], Any]] = {
    "/": lambda router: None,
    "/health": lambda router: None,
    "/ping": lambda router: None,
    "/info": Router.info,
    "/v1/models": Router.models,
    "/metrics": lambda router: router.metrics.render(),
}
_ACCEPTED_S = 0.1
_JSON = "application/json"
_TEXT = "text/plain; charset=utf-8"


class Server(ThreadingHTTPServer):
    """Raises OSError where the address is taken."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, router: Router, log: Log) -> None:
        self.router = router
        self.log = log
        self.running = 0
        self.stopping = False
        self.changed = threading.Condition()
        self.address_family, place = address(router.host, router.port)
        super().__init__(place, Handler)

    def server_bind(self) -> None:
        # HTTPServer would ask the DNS for its own name, which takes seconds where there is none.
        socketserver.TCPServer.server_bind(self)

    def finish(self, timeout_s: float) -> bool:
        """Take no more connections, and wait until what runs is done. Returns whether it is."""
        self.stopping = True
        self.shutdown()
        self.socket.close()
        # What was just accepted is not counted yet.
        time.sleep(_ACCEPTED_S)
        with self.changed:
            return self.changed.wait_for(lambda: self.running == 0, timeout_s)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is nothing to tell of."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self._run()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_GET  # noqa: N815  http.server's own names

    def _run(self) -> None:
        with self.server.changed:
            self.server.running += 1
        try:
            self._respond()
        finally:
            # No next request on this connection, once the end has begun.
            self.close_connection |= self.server.stopping
            with self.server.changed:
                self.server.running -= 1
                self.server.changed.notify_all()

    def _respond(self) -> None:
        body = self._body()
        if body is None:
            self._send(413, "Failed to buffer the request body: length limit exceeded")
            return
        path = self.path.partition("?")[0]
        reads = self.command in ("GET", "HEAD")
        if reads and path in OPEN_GET:
            self._send(200, OPEN_GET[path](self.server.router))
        elif path in PROTECTED and not self._knows_key():
            self._send(401, None)
        elif self.command == "POST" and (found := {**PROTECTED, **OPEN_POST}.get(path)):
            self._ask(*found, body)
        elif path in {**PROTECTED, **OPEN_POST, **OPEN_GET}:
            self._send(405, None, {"allow": "POST" if path in {**PROTECTED, **OPEN_POST} else "GET,HEAD"})
        else:
            self._send(404, None)

    def _knows_key(self) -> bool:
        key = self.server.router.args.api_key
        given = self.headers.get("Authorization", "")
        # Compared without regard to case, also of the key.
        return key is None or given.lower() == f"Bearer {key}".lower()

    def _body(self) -> bytes | None:
        """Return the body, or None where it is too long."""
        most = self.server.router.args.payload_limit
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().partition(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return body if len(body) <= most else None

    def _ask(self, kind: Kind, endpoint: Endpoint, body: bytes) -> None:
        media = self.headers.get_content_type()
        if "Content-Type" not in self.headers or not (media == _JSON or media.endswith("+json")):
            self._send(415, "Expected request with `Content-Type: application/json`")
            return
        try:
            answer = endpoint(read(body, kind), self.server.router)
        except SyntaxFault as fault:
            self._send(400, f"Failed to parse the request body as JSON: {fault}")
        except DataError as error:
            self._send(422, f"Failed to deserialize the JSON body into the target type: {error}")
        except Rejected as rejected:
            self.server.log.router("ERROR", str(rejected), "infer")
            self._send(rejected.status, rejected.body())
        else:
            self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        if answer.events is None:
            self._send(200, answer.document, answer.headers)
        else:
            self._stream(answer)
        self.server.log.router("INFO", "Success")

    def _send(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        """Send a document, a text, or nothing."""
        media, text = _JSON, _json(document)
        if document is None or isinstance(document, str):
            media, text = _TEXT, document or ""
        content = text.encode()
        self.send_response(status)
        if document is not None:
            self.send_header("content-type", media)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.send_header("access-control-allow-origin", "*")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _stream(self, answer: Answer) -> None:
        self.send_response(200)
        for name, value in {
            "content-type": "text/event-stream",
            "cache-control": "no-cache",
            "transfer-encoding": "chunked",
            "access-control-allow-origin": "*",
            **answer.headers,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        assert answer.events is not None
        try:
            for event in answer.events:
                data = event if isinstance(event, str) else _json(event)
                # One write for each event: it leaves when it is made.
                self._chunk(f"data: {data}\n\n".encode())
        finally:
            # Gives the permit back, also where the client went away.
            answer.events.close()  # type: ignore[attr-defined]
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def version_string(self) -> str:
        return "stand-in for text-generation-router"

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _json(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))

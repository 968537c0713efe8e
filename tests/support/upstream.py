"""A stand-in for an engine behind a gateway, and for docker's DNS server."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Engine(BaseHTTPRequestHandler):
    """Answers with what it was asked; below /v1/stream, in five chunks."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        received = len(self.rfile.read(length)) if length else self._chunks()
        if self.path.startswith("/v1/stream"):
            self._stream()
            return
        name = self.server.name  # type: ignore[attr-defined]
        asked = {"path": self.path, "bytes": received, "name": name, "headers": dict(self.headers)}
        body = json.dumps(asked).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  http.server's own name

    def _chunks(self) -> int:
        received = 0
        while self.headers.get("Transfer-Encoding") == "chunked":
            size = int(self.rfile.readline(), 16)
            received += len(self.rfile.read(size))
            self.rfile.readline()
            if size == 0:
                break
        return received

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for index in range(5):
            text = f"data: {index}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))
            time.sleep(0.2)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def engine(name: str, address: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Serve until the end of the block; gives the port."""
    server = ThreadingHTTPServer((address, port), _Engine)
    server.name = name  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def dns(addresses: dict[str, list[str]]) -> Iterator[int]:
    """Answer questions for A records; gives the UDP port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                try:
                    question, client = sock.recvfrom(512)
                except OSError:
                    return
                sock.sendto(_answer(question, addresses), client)

        threading.Thread(target=serve, daemon=True).start()
        yield sock.getsockname()[1]


def _answer(question: bytes, addresses: dict[str, list[str]]) -> bytes:
    labels, at = [], 12
    while length := question[at]:
        labels.append(question[at + 1 : at + 1 + length].decode())
        at += 1 + length
    found = addresses.get(".".join(labels), [])
    flags = b"\x81\x80" if found else b"\x81\x83"
    header = question[:2] + flags + b"\x00\x01" + len(found).to_bytes(2, "big") + bytes(4)
    # Each record: a pointer to the name, type A, class IN, TTL 1 s, four bytes.
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04"
    return header + question[12 : at + 5] + b"".join(record + socket.inet_aton(ip) for ip in found)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port

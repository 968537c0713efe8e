"""HTTP as a probe needs it: JSON, streams with the time of each event, and a deadline that holds for the whole."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

_BLOCK = 65536
_LARGEST = 8 << 20


class Unreachable(Exception):  # noqa: N818  a reason, read as "unreachable: …"
    """No whole answer came in time; the text says why."""


class Answer(Struct, frozen=True):
    status: int
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON, or None where it is none."""
        return parsed(self.body)

    def excerpt(self, size: int = 200) -> str:
        """Return the beginning of the body on one line, for a message."""
        text = "".join(each if each.isprintable() else " " for each in self.body.decode("utf-8", "replace"))
        text = " ".join(text.split())
        return text if len(text) <= size else text[: size - 1] + "…"


def parsed(text: str | bytes) -> Any:
    """Return what JSON says, or None where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


class Rejected(Exception):  # noqa: N818  an answer, not a defect of ours
    """A stream was asked for, and the answer is another one."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}: {answer.excerpt()}")
        self.answer = answer


class Client(Struct, frozen=True):
    """Asks below one base URL. `deadline_s` is for one answer as a whole, not between two of its bytes."""

    base: str
    key: str | None = None
    deadline_s: float = 60

    def get(self, path: str) -> Answer:
        return self._ask("GET", path, None)

    def post(self, path: str, document: Any) -> Answer:
        return self._ask("POST", path, document)

    def stream(self, path: str, document: Any) -> Iterator[tuple[float, str]]:
        """POST and yield (monotonic time, data) for each server-sent event. Raises Rejected for no stream."""
        exchange = _Exchange(self.base, self.deadline_s)
        with closing(exchange):
            status, kind = exchange.send("POST", path, self._headers(), document)
            if status != 200 or kind != "text/event-stream":
                raise Rejected(Answer(status, b"".join(block for _, block in exchange.blocks())))
            yield from events(exchange.blocks())

    def _ask(self, method: str, path: str, document: Any) -> Answer:
        with closing(_Exchange(self.base, self.deadline_s)) as exchange:
            status, _ = exchange.send(method, path, self._headers(), document)
            return Answer(status, b"".join(block for _, block in exchange.blocks()))

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}


def events(blocks: Iterable[tuple[float, bytes]]) -> Iterator[tuple[float, str]]:
    """Yield the data of each server-sent event, with the time of the block that ended it."""
    rest, data = b"", list[str]()
    for at, block in blocks:
        # CR LF may be cut between two blocks; no engine ends a line with a CR alone.
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            text = line.removesuffix(b"\r").decode("utf-8", "replace")
            if text.startswith("data:"):
                data.append(text.removeprefix("data:").removeprefix(" "))
            elif not text and data:
                yield at, "\n".join(data)
                data = []


def fits_header(value: str) -> bool:
    """Can it be sent as a key? Python's client refuses line breaks and what is not Latin-1."""
    return value.isascii() and value.isprintable()


def check_url(base: str) -> SplitResult:
    """Take a base URL apart. Raises Unreachable for what is none, or has parts that are not asked below."""
    try:
        url = urlsplit(base)
        hostname, _ = url.hostname or "", url.port
        hostname.encode("idna")
        url.path.encode("ascii")
    except ValueError as error:
        raise Unreachable(f"`{base}` is no URL: {error}") from error
    if url.scheme not in ("http", "https") or not hostname:
        raise Unreachable(f"`{base}` is no http URL")
    if url.query or url.fragment or url.username:
        raise Unreachable(
            f"`{url.scheme}://{url.netloc.rpartition('@')[2]}` must end with its path, and name no user"
        )
    return url


class _Exchange:
    """One request and its answer on a connection of its own."""

    def __init__(self, base: str, deadline_s: float) -> None:
        url = check_url(base)
        kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
        self._end = time.monotonic() + deadline_s
        self._deadline_s = deadline_s
        self._prefix = url.path.rstrip("/")
        self._connection = kind(url.hostname or "", url.port, timeout=deadline_s)
        self._socket: socket.socket | None = None
        # A socket's own time-out begins anew with each byte.
        self._alarm = threading.Timer(deadline_s, self._cut)
        self._alarm.daemon = True
        self._alarm.start()

    def _cut(self) -> None:
        if self._socket:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def send(self, method: str, path: str, headers: Mapping[str, str], document: Any) -> tuple[int, str]:
        """Return the status and the media type."""
        body = None if document is None else json.dumps(document).encode()
        typed = {} if body is None else {"Content-Type": "application/json"}
        with _explained(self._deadline_s, self._end):
            self._connection.request(
                method, self._prefix + path, body, {**headers, **typed, "Connection": "close"}
            )
            # The connection forgets its socket where the answer ends with it.
            self._socket = self._connection.sock
            self._limit()
            self._response = self._connection.getresponse()
        media = self._response.headers.get_content_type()
        return self._response.status, media

    def blocks(self) -> Iterator[tuple[float, bytes]]:
        """Yield what arrives, as it arrives."""
        # read1() takes a connection's end for the answer's, and counts the length down in newer Pythons only.
        missing, room = self._response.length, _LARGEST
        while missing is None or missing > 0:
            with _explained(self._deadline_s, self._end):
                self._limit()
                block = self._response.read1(_BLOCK)
            if not block:
                break
            missing, room = None if missing is None else missing - len(block), room - len(block)
            if room < 0:
                raise Unreachable(f"the answer is larger than {_LARGEST >> 20} MiB")
            yield time.monotonic(), block
        if missing or time.monotonic() >= self._end:
            with _explained(self._deadline_s):
                self._limit()
            raise Unreachable("the answer was cut off")

    def _limit(self) -> None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        assert self._socket
        self._socket.settimeout(left)

    def close(self) -> None:
        self._alarm.cancel()
        self._connection.close()


class _explained:  # noqa: N801  read as a word: `with _explained(…)`
    """Turns what sockets and http.client raise into Unreachable."""

    def __init__(self, deadline_s: float, end: float = float("inf")) -> None:
        self._deadline_s, self._end = deadline_s, end

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        late = isinstance(error, (OSError, http.client.HTTPException)) and time.monotonic() >= self._end
        if late or isinstance(error, TimeoutError):
            raise Unreachable(f"no whole answer in {self._deadline_s:g} s") from error
        if isinstance(error, ConnectionRefusedError):
            raise Unreachable("connection refused") from error
        if isinstance(error, (OSError, http.client.HTTPException)):
            raise Unreachable(_one_line(error)) from error
        if isinstance(error, ValueError):
            # http.client refuses a header, and shows it: a credential.
            raise Unreachable("the API key cannot be sent in a header") from None


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return "".join(each for each in text if each.isprintable()) or type(error).__name__

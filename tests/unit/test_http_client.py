"""The HTTP client against sockets that answer as they like."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from llmdeploy.runtime.http import Answer, Client, Rejected, Unreachable, events

STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n"


@contextmanager
def answering(pieces: Sequence[bytes], pause_s: float = 0) -> Iterator[str]:
    """Answer one request with these pieces, with a pause after each."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                try:
                    for piece in pieces:
                        connection.sendall(piece)
                        time.sleep(pause_s)
                    # What is left unread would make the end a reset.
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                except OSError:
                    pass  # the client has left, as it should

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        thread.join(10)


def data(*blocks: bytes) -> list[tuple[float, str]]:
    return list(events(enumerate(blocks)))


def test_an_event_has_the_time_of_the_block_that_ends_it() -> None:
    assert data(b"data: a\n\ndata:", b" b\n", b"\n") == [(0, "a"), (2, "b")]


def test_lines_may_end_in_cr_lf_and_be_cut_between() -> None:
    assert data(b"data: a\r", b"\n\r", b"\ndata: b\r\n\r\n") == [(2, "a"), (2, "b")]


def test_data_of_several_lines_is_one_event() -> None:
    assert data(b"data: a\ndata:b\n\n") == [(0, "a\nb")]


def test_comments_other_fields_and_an_event_without_an_end_are_no_events() -> None:
    assert data(b": ping\n\nevent: x\nid: 1\n\ndata: {}\n\ndata: cut") == [(0, "{}")]


def test_a_character_may_be_cut_between_blocks() -> None:
    assert data(b"data: \xc3", b"\xa9\n\n") == [(1, "é")]


def test_a_stream_is_read_as_it_comes() -> None:
    pieces = [STREAM, *(b"data: %d\n\n" % number for number in range(3))]
    with answering(pieces, pause_s=0.1) as url:
        arrived = list(Client(url).stream("/", {}))
    assert [text for _, text in arrived] == ["0", "1", "2"]
    assert arrived[2][0] - arrived[0][0] > 0.15


def test_what_is_no_stream_is_handed_on() -> None:
    with (
        answering([b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"]) as url,
        pytest.raises(Rejected, match="404: gone") as caught,
    ):
        list(Client(url).stream("/", {}))
    assert caught.value.answer.status == 404


def test_an_answer_is_whole_without_the_end_of_the_connection() -> None:
    with answering([b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"], pause_s=2) as url:
        started = time.monotonic()
        assert Client(url).get("/").json() == {}
        assert time.monotonic() - started < 1


def test_the_deadline_is_for_the_whole_answer() -> None:
    """A byte now and then would satisfy a socket's own time-out for ever."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    with answering([head, *[b"x"] * 30], pause_s=0.1) as url:
        started = time.monotonic()
        with pytest.raises(Unreachable, match=r"no whole answer in 0\.5 s"):
            Client(url, deadline_s=0.5).get("/")
        assert time.monotonic() - started < 1


def test_an_answer_that_is_cut_off_is_none() -> None:
    with (
        answering([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"]) as url,
        pytest.raises(Unreachable, match="cut off"),
    ):
        Client(url).get("/")


def test_what_does_not_speak_http_is_unreachable() -> None:
    with answering([b"220 mail\r\n"]) as url, pytest.raises(Unreachable):
        Client(url).get("/")


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unreachable, match="connection refused"):
        Client(f"http://127.0.0.1:{port}").get("/")


@pytest.mark.parametrize("url", ["ftp://host", "host:8080", "http://", "http://host:99999"])
def test_what_is_no_url_says_so(url: str) -> None:
    with pytest.raises(Unreachable, match="is no "):
        Client(url).get("/")


def test_the_deadline_holds_for_headers_that_trickle() -> None:
    """A socket's own time-out begins anew with each byte."""
    start = time.monotonic()
    with (
        answering([b"HTTP/1.1 200 OK\r\nX: ", *[b"x"] * 100], pause_s=0.1) as url,
        pytest.raises(Unreachable, match=r"no whole answer in 0.5 s"),
    ):
        Client(url, deadline_s=0.5).get("/")
    assert time.monotonic() - start < 5


def test_an_answer_without_end_is_not_read_into_memory() -> None:
    with (
        answering([b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * (1 << 20)] * 20]) as url,
        pytest.raises(Unreachable, match="larger than 8 MiB"),
    ):
        Client(url).get("/")


@pytest.mark.parametrize("key", ["top\r", "a\nb", "ключ"])
def test_a_key_that_no_header_can_have_is_not_shown(key: str) -> None:
    with answering([b"HTTP/1.1 200 OK\r\n\r\n"]) as url, pytest.raises(Unreachable) as caught:
        try:
            Client(url, key).get("/")
        finally:
            Client(url).get("/")  # somebody has to be answered
    assert "cannot be sent" in str(caught.value)
    assert key not in str(caught.value)


@pytest.mark.parametrize("body", [b"[" * 200_000, b"{", b"\xff"], ids=["deep", "cut off", "bytes"])
def test_what_is_no_json_is_none(body: bytes) -> None:
    assert Answer(200, body).json() is None


def test_an_excerpt_cannot_drive_a_terminal() -> None:
    assert Answer(500, b"\x1b[31m bad \x00\r\n request").excerpt() == "[31m bad request"

"""What the smoke test says of an engine's prefix cache, and of how it stops: to a server that does the one or the other."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from msgspec.structs import replace
from support import plans

from llmdeploy.plan.model import Api, PrefixCache
from llmdeploy.runtime.smoke import checks
from llmdeploy.runtime.smoke.drain import drain
from llmdeploy.runtime.smoke.model import Door, direct
from llmdeploy.runtime.smoke.prefix import prefix
from llmdeploy.runtime.smoke.requests import Fault

CACHE = PrefixCache("/metrics", "engine:hits_total", "engine:queries_total")
Respond = Callable[[BaseHTTPRequestHandler, bytes], None]


@contextmanager
def serving(respond: Respond) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            respond(self, self.rfile.read(int(self.headers["Content-Length"])))

        def do_GET(self) -> None:
            respond(self, b"")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def send(handler: BaseHTTPRequestHandler, status: int, text: str) -> None:
    handler.send_response(status)
    handler.end_headers()
    handler.wfile.write(text.encode())


class Process:
    """An engine's process, as far as the check sees it."""

    def __init__(self, *, ends: bool = True) -> None:
        self.stopped, self.ends = threading.Event(), ends

    def terminate(self) -> None:
        self.stopped.set()

    def reap(self, timeout: float) -> bool:
        return self.ends


def streaming(process: Process, after: list[str]) -> Respond:
    """Stream one chunk, wait for the stop, and then send `after`."""

    def respond(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        assert json.loads(body)["stream"] is True
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        for data in (chunk(), *after):
            handler.wfile.write(f"data: {data}\n\n".encode())
            handler.wfile.flush()
            assert process.stopped.wait(10), "nobody stopped it"

    return respond


def chunk(reason: str | None = None) -> str:
    return json.dumps({"choices": [{"delta": {"content": "one"}, "finish_reason": reason}]})


def stopping(after: list[str], *, ends: bool = True) -> str:
    process = Process(ends=ends)
    with serving(streaming(process, after)) as url:
        return drain(direct(plans.service(), url, None, process=process))


def test_an_answer_that_is_finished_after_the_stop_is_as_it_should_be() -> None:
    assert stopping([chunk(), chunk("length"), "[DONE]"]).startswith(
        "2 chunks came after SIGTERM, and it ended in "
    )


@pytest.mark.parametrize("after", [[], [chunk()]], ids=["at once", "a moment later"])
def test_an_answer_that_is_cut_off_by_the_stop_is_a_fault(after: list[str]) -> None:
    with pytest.raises(Fault, match=rf"cut off {1 + len(after)} chunks after the engine was told to stop"):
        stopping(after)


def test_an_answer_that_ends_as_if_it_were_whole_and_was_given_up_is_a_fault() -> None:
    with pytest.raises(Fault, match="given up after 2 chunks"):
        stopping([chunk("abort"), "[DONE]"])


def test_an_engine_that_goes_on_running_is_a_fault() -> None:
    with pytest.raises(Fault, match=r"still runs \d+ s after it was told to stop"):
        stopping([chunk("length"), "[DONE]"], ends=False)


def test_what_answers_with_an_error_instead_of_a_stream_is_a_fault() -> None:
    with (
        serving(lambda handler, body: send(handler, 500, "no")) as url,
        pytest.raises(Fault, match="no stream, but status 500"),
    ):
        drain(direct(plans.service(), url, None, process=Process()))


def test_only_what_is_ours_is_stopped_and_last_of_all() -> None:
    ours = direct(plans.service(), "http://127.0.0.1:1", None, process=Process())
    assert [outcome.check for outcome in checks.end([ours, replace(ours, process=None)])] == ["drain"]
    assert "drain" not in [outcome.check for outcome in checks.ask(ours, keyed=False)]


def caching(*, hits: int, queries: int, longest: int = 100_000) -> Respond:
    """Count as told for each prompt that it has seen before; refuse what is longer than its context."""
    seen = set[str]()
    counted = {"hits": 0.0, "queries": 0.0}

    def respond(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        if handler.path == CACHE.path:
            other = 'engine:hits_total_created{engine="0"} 1.7e+09\n'
            lines = [
                f'engine:{name}_total{{engine="{each}"}} {value}\n'
                for name, value in counted.items()
                for each in (0, 1)
            ]
            return send(handler, 200, other + "".join(lines))
        text = json.loads(body)["messages"][0]["content"]
        if len(text) > longest:
            return send(handler, 400, "too long")
        counted["queries"] += queries
        counted["hits"] += hits if text in seen else 0
        seen.add(text)
        return send(handler, 200, "{}")

    return respond


def cached(respond: Respond) -> str:
    with serving(respond) as url:
        return prefix(direct(plans.service(), url, None), cache=CACHE)


def test_a_prompt_that_is_found_again_is_counted_over_all_engines() -> None:
    assert cached(caching(hits=64, queries=100)) == "128 tokens of a prompt asked twice were in the cache"


def test_a_cache_in_which_nothing_is_found_again_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llmdeploy.runtime.smoke.prefix._SETTLED_S", 0.1)
    with pytest.raises(Fault, match=r"nothing of it was found in the cache \(engine:hits_total\)"):
        cached(caching(hits=0, queries=100, longest=1_000))


def test_an_engine_that_looks_nothing_up_keeps_no_prefixes_of_such_a_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("llmdeploy.runtime.smoke.prefix._SETTLED_S", 0.1)
    assert cached(caching(hits=0, queries=0)) == "the engine keeps no prefixes of this model"


def test_counters_that_are_not_there_are_a_fault() -> None:
    with (
        serving(lambda handler, body: send(handler, 200, "")) as url,
        pytest.raises(Fault, match="has no `engine:hits_total`"),
    ):
        prefix(direct(plans.service(), url, None), cache=CACHE)


def test_it_is_asked_where_the_counters_are_reached_and_llm_yaml_has_it_on() -> None:
    counting = replace(plans.service(), api=Api(prefix_cache=CACHE))
    assert "prefix" in names(direct(counting, "http://127.0.0.1:1", None))
    assert "prefix" not in names(direct(replace(counting, prefix_caching=False), "http://127.0.0.1:1", None))
    assert "prefix" not in names(direct(plans.service(), "http://127.0.0.1:1", None))


def names(door: Door) -> list[str]:
    return [outcome.check for outcome in checks.ask(door, keyed=False)]

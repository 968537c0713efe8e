"""The gateway's configuration under nginx itself."""

from __future__ import annotations

import http.client
import itertools
import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support import plans, upstream
from support.tools import Run, tool

from llmdeploy.gateways import nginx as gateway
from llmdeploy.plan.model import Endpoint, Gateway, Match, Plan, Route
from llmdeploy.targets.onehost.stack import gateway_config

pytestmark = pytest.mark.needs("nginx")

ROOT = Endpoint("/", Match.EXACT)
ROUTED = plans.plan(
    *(plans.service(name) for name in ("chat", "structured", "deep", "dotted")),
    routes=False,
    gateway=Gateway(idle_timeout_s=30),
)
ROUTES = (
    Route("/chat", "chat", plans.OPENAI, ("routes", 0)),
    Route("/structured", "structured", (ROOT, *plans.OPENAI), ("routes", 1)),
    Route("/chat/v1", "deep", (ROOT, Endpoint("/v1", Match.PREFIX)), ("routes", 2)),
    Route("/v1.5/x~y", "dotted", plans.OPENAI, ("routes", 3)),
)


@contextmanager
def serving(config: str, port: int, home: Path) -> Iterator[int]:
    (home / "nginx.conf").write_text(config)
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [tool("nginx"), "-p", home, "-e", "stderr", "-c", home / "nginx.conf", "-g", "daemon off;"],
            stdout=log,
            stderr=log,
        )
        try:
            for _ in range(100):
                try:
                    http.client.HTTPConnection("127.0.0.1", port, timeout=5).connect()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.02)
            else:
                pytest.fail((home / "log").read_text())
            yield port
        finally:
            process.terminate()
            process.wait(10)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A gateway in front of one engine for each model."""
    with ExitStack() as stack:
        engines = {
            each.name: [f"127.0.0.1:{stack.enter_context(upstream.engine(each.name))}"]
            for each in ROUTED.services
        }
        listen = upstream.free_port()
        config = gateway.config(replace(ROUTED, routes=ROUTES), engines, None, f"127.0.0.1:{listen}")
        yield stack.enter_context(serving(config, listen, tmp_path_factory.mktemp("nginx")))


def ask(port: int, path: str, **request: Any) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(request.pop("method", "GET"), path, **request)
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


@pytest.mark.parametrize(
    ("path", "engine", "inner"),
    [
        ("/chat/v1/chat/completions", "chat", "/v1/chat/completions"),
        ("/chat/v1/models?a=b%20c&d=%2F", "chat", "/v1/models?a=b%20c&d=%2F"),
        ("/chat/health", "chat", "/health"),
        ("/chat//v1/models", "chat", "/v1/models"),
        ("/chat/v1/files/a%20b%3Fc%23d%25e", "chat", "/v1/files/a%20b%3Fc%23d%25e"),
        ("/chat/v1/files/%C3%A9", "chat", "/v1/files/%C3%A9"),
        ("/chat/v1/a%0d%0aX-Evil:%201", "chat", "/v1/a%0D%0AX-Evil:%201"),
        ("/structured", "structured", "/"),
        ("/structured/", "structured", "/"),
        ("/structured?x=1", "structured", "/?x=1"),
        ("/structured/v1", "structured", "/v1"),
        ("/chat/v1", "deep", "/"),
        ("/chat/v1/v1/models", "deep", "/v1/models"),
        ("/v1.5/x~y/v1/models", "dotted", "/v1/models"),
    ],
)
def test_what_a_route_lets_through(port: int, path: str, engine: str, inner: str) -> None:
    """The route's prefix is stripped, the query kept, and what was encoded stays so."""
    status, seen = ask(port, path)
    assert (status, seen["name"], seen["path"]) == (200, engine, inner)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/chat",
        "/chatty/v1/models",
        "/chat/v1x",
        "/chat/metrics",
        "/chat/healthy",
        "/chat/health/x",
        "/chat/v1/%2e%2e/metrics",
        "/chat/v1/..%2fmetrics",
        "/chat/v1/../metrics",
        "/Chat/v1/models",
        "/chat/V1/models",
        "/structured/metrics",
        "/v1x5/x~y/v1/models",
        "/v1/models",
    ],
)
def test_what_no_route_lets_through(port: int, path: str) -> None:
    """All else is 404 in JSON, and never an engine's own answer."""
    status, body = ask(port, path)
    assert status == 404
    assert body["error"]["message"] == "no such route"


def test_it_has_a_health_of_its_own(port: int) -> None:
    assert ask(port, "/healthz") == (200, {"status": "ok"})


@pytest.mark.parametrize("chunked", [False, True])
def test_a_large_body_passes(port: int, chunked: bool) -> None:
    """20 MB: images and long contexts."""
    body = b"x" * 20_000_000
    sent: dict[str, Any] = {"body": body}
    if chunked:
        sent = {"body": iter([body]), "encode_chunked": True, "headers": {"Transfer-Encoding": "chunked"}}
    status, seen = ask(port, "/chat/v1/completions", method="POST", **sent)
    assert (status, seen["bytes"]) == (200, len(body))


def test_chunks_arrive_as_they_are_sent(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/chat/v1/stream")
    answer, arrived = connection.getresponse(), []
    while answer.read1():
        arrived.append(time.monotonic())
    assert len(arrived) == 5
    assert all(after - before > 0.1 for before, after in itertools.pairwise(arrived))


def test_the_key_reaches_the_engine_and_no_log(tmp_path: Path) -> None:
    with upstream.engine("chat") as engine:
        listen = upstream.free_port()
        config = gateway.config(plans.ONE, {"chat": [f"127.0.0.1:{engine}"]}, None, f"127.0.0.1:{listen}")
        with serving(config, listen, tmp_path):
            _, seen = ask(listen, "/chat/v1/models", headers={"Authorization": "Bearer s3cret"})
    assert seen["headers"]["Authorization"] == "Bearer s3cret"
    log = (tmp_path / "log").read_text()
    assert "/chat/v1/models" in log
    assert "s3cret" not in log


@pytest.mark.parametrize("named", [True, False], ids=["by name", "by address"])
def test_replicas_share_the_work_and_stand_in_for_each_other(tmp_path: Path, named: bool) -> None:
    """Three addresses and one of them dead: every POST is answered, by both that live."""
    with ExitStack() as stack:
        engine = stack.enter_context(upstream.engine("first"))
        stack.enter_context(upstream.engine("second", "127.0.0.2", engine))
        names = {"chat": ["127.0.0.1", "127.0.0.2", "127.0.0.3"]}
        resolver = f"127.0.0.1:{stack.enter_context(upstream.dns(names))}" if named else None
        hosts = ["chat"] if named else names["chat"]
        listen = upstream.free_port()
        config = gateway.config(
            plans.ONE, {"chat": [f"{host}:{engine}" for host in hosts]}, resolver, f"127.0.0.1:{listen}"
        )
        stack.enter_context(serving(config, listen, tmp_path))
        answers = [ask(listen, "/chat/v1/completions", method="POST", body=b"{}") for _ in range(30)]
    assert {status for status, _ in answers} == {200}
    assert {seen["name"] for _, seen in answers} == {"first", "second"}


@pytest.mark.parametrize("plan", [plan for plan in plans.ALL.values() if plan.routes])
def test_nginx_takes_what_the_targets_write(nginx: Run, tmp_path: Path, plan: Plan) -> None:
    """Offline, with no engine there to be found."""
    (tmp_path / "nginx.conf").write_text(gateway_config(plan))
    judged = nginx("-t", "-q", "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-e", "stderr")
    assert judged.returncode == 0, judged.stderr

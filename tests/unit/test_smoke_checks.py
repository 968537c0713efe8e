"""Which checks are put to whom. Nobody listens, so each fails, and says so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from msgspec.structs import replace
from support import plans
from support.specs import spec

from llmdeploy import compile
from llmdeploy.plan.model import Endpoint, Match, Plan
from llmdeploy.runtime.http import Answer, Client
from llmdeploy.runtime.smoke import checks
from llmdeploy.runtime.smoke.model import Door, direct, routed

NOBODY = "http://127.0.0.1:1"
OPENAI = ["name", "chat", "stream", "schema"]


def asked(door: Door, *, keyed: bool = False) -> list[str]:
    outcomes = list(checks.ask(door, keyed=keyed))
    assert {(outcome.ok, outcome.detail) for outcome in outcomes} == {(False, "connection refused")}
    return [outcome.check for outcome in outcomes]


def only_route(plan: Plan) -> Door:
    (door,) = routed(plan, NOBODY, None)
    return door


def test_an_engine_is_asked_everything() -> None:
    assert asked(direct(plans.service(), NOBODY, None)) == ["live", "ready", *OPENAI]
    assert asked(direct(plans.service(), NOBODY, "k"), keyed=True) == ["live", "ready", *OPENAI, "key"]


def test_a_route_is_asked_for_the_probes_that_it_lets_through() -> None:
    plan = plans.plan(plans.service())
    assert asked(only_route(plan)) == ["live", "ready", *OPENAI, "closed"]
    closed = replace(plan.routes[0], endpoints=(Endpoint("/v1", Match.PREFIX),))
    assert asked(only_route(replace(plan, routes=(closed,)))) == [*OPENAI, "closed"]


@pytest.mark.parametrize(
    ("stated", "is_on"),
    [(True, True), ({"backend": "outlines"}, True), (False, False), ({"backend": "none"}, False)],
)
def test_a_model_without_structured_output_is_not_asked_for_it(stated: Any, is_on: bool) -> None:
    document = spec("sglang")
    document["models"]["chat"]["structured_output"] = stated
    plan = compile(json.dumps(document), ["docker"], emit=False).plan
    assert plan
    assert ("schema" in asked(direct(plan.services[0], NOBODY, None))) is is_on


def test_a_model_that_embeds_is_asked_for_vectors_alone() -> None:
    service = replace(plans.service(), task="embed")
    assert asked(direct(service, NOBODY, "k"), keyed=True) == ["live", "ready", "name", "embed", "key"]


def test_every_adapter_is_asked() -> None:
    service = replace(plans.service(), adapter_names={"sql": "chat:sql", "doc": "chat:doc"})
    assert asked(direct(service, NOBODY, None)) == ["live", "ready", *OPENAI, "adapter sql", "adapter doc"]


class Answers:
    """A client to whom everything is answered in one way; remembers what it was asked."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self.bodies: list[Any] = []

    def post(self, path: str, body: Any) -> Answer:
        self.bodies.append(body)
        return Answer(200, json.dumps(self.document).encode())


def vectors(*rows: Any) -> Any:
    return {"data": [{"embedding": row} for row in rows]}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (vectors([0.5, 1], [1, 0.25]), None),
        (vectors([0.5, 1], [0.5, 1]), "have the same vector"),
        (vectors([0.5, 1], [1]), "no two vectors of one length"),
        (vectors([], []), "no two vectors of one length"),
        (vectors([0.5, 1]), "no two vectors of one length"),
        (vectors(["a"], ["b"]), "no two vectors of one length"),
        ({"object": "list"}, "no two vectors of one length"),
    ],
)
def test_two_texts_have_two_vectors(document: Any, said: str | None) -> None:
    door = replace(direct(plans.service(), NOBODY, None), client=Answers(document))
    if said is None:
        assert checks.embed(door) == "2 dimensions"
        return
    with pytest.raises(checks.Fault, match=said):
        checks.embed(door)


def answer(content: str, finish: str) -> Any:
    return {"choices": [{"message": {"content": content}, "finish_reason": finish}]}


def test_a_model_that_reasons_is_asked_not_to_and_may_still_be_at_it() -> None:
    client = Answers(answer("", "length"))
    door = replace(direct(replace(plans.service(), reasons=True), NOBODY, None), client=client)
    assert "still reasoning" in checks.schema(door)
    assert client.bodies[0]["chat_template_kwargs"]["enable_thinking"] is False
    for content, finish in (("", "stop"), ("prose", "length")):
        with pytest.raises(checks.Fault, match="not JSON"):
            checks.schema(replace(door, client=Answers(answer(content, finish))))


@pytest.mark.parametrize(
    ("endpoint", "path", "passes"),
    [
        (Endpoint("/v1", Match.PREFIX), "/v1", True),
        (Endpoint("/v1", Match.PREFIX), "/v1/models", True),
        (Endpoint("/v1", Match.PREFIX), "/v1x", False),
        (Endpoint("/health", Match.EXACT), "/health", True),
        (Endpoint("/health", Match.EXACT), "/health/x", False),
    ],
)
def test_what_a_door_lets_through(endpoint: Endpoint, path: str, passes: bool) -> None:
    door = replace(direct(plans.service(), NOBODY, None), endpoints=(endpoint,))
    assert door.lets_through(path) is passes


class Streams:
    """A client whose stream comes in bursts, each of some chunks, a hundredth of a second apart."""

    def __init__(self, bursts: int, chunks: int) -> None:
        self.bursts, self.chunks = bursts, chunks

    def stream(self, path: str, body: Any) -> Iterator[tuple[float, str]]:
        chunk = json.dumps({"choices": [{"delta": {"content": "four "}}], "id": "x" * 180})
        yield from ((burst / 100, chunk) for burst in range(self.bursts) for _ in range(self.chunks))
        yield self.bursts / 100, "[DONE]"


def streamed(bursts: int, chunks: int, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(checks, "_PAUSES_S", ())
    door = replace(direct(plans.service(), NOBODY, None), client=cast(Client, Streams(bursts, chunks)))
    return checks.stream(door)


@pytest.mark.parametrize(("bursts", "chunks"), [(123, 1), (18, 7), (5, 2)])
def test_a_stream_may_come_some_tokens_at_once(
    bursts: int, chunks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert streamed(bursts, chunks, monkeypatch).startswith(f"{bursts * chunks} chunks")


@pytest.mark.parametrize(("bursts", "chunks"), [(1, 123), (2, 5), (7, 17), (30, 17)])
def test_a_stream_that_comes_by_the_page_is_buffered(
    bursts: int, chunks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(checks.Fault, match=f"{bursts * chunks} chunks arrive in {bursts} bursts"):
        streamed(bursts, chunks, monkeypatch)

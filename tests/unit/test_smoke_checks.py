"""Which checks are put to whom. Nobody listens, so each fails, and says so."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from support import plans
from support.specs import spec

from llmdeploy import compile
from llmdeploy.plan.model import Endpoint, Match, Plan
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


@pytest.mark.parametrize("stated", [True, False])
def test_a_model_without_structured_output_is_not_asked_for_it(stated: bool) -> None:
    document = spec("sglang")
    document["models"]["chat"]["structured_output"] = stated
    plan = compile(json.dumps(document), ["docker"], emit=False).plan
    assert plan
    assert ("schema" in asked(direct(plan.services[0], NOBODY, None))) is stated


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

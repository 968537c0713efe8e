"""Which locations a route takes."""

from __future__ import annotations

import re

from msgspec.structs import replace
from support import plans

from llmdeploy.gateways import nginx
from llmdeploy.plan.model import Endpoint, Gateway, Match, Route


def locations(*routes: Route) -> dict[str, str]:
    plan = replace(plans.ONE, routes=routes)
    text = nginx.config(plan, {name: [f"{name}:80"] for name in ("a", "b")}, "127.0.0.11", "8080")
    return dict(re.findall(r"location (.*) \{\n\s+set \$engine (.*);", text))


def route(path: str, service: str, *endpoints: tuple[str, Match]) -> Route:
    return Route(path, service, tuple(Endpoint(*endpoint) for endpoint in endpoints), ("routes", 0))


def test_a_prefix_is_itself_and_what_is_below_by_whole_segments() -> None:
    assert locations(route("/x", "a", ("/v1", Match.PREFIX))) == {"= /x/v1": "a:80", "/x/v1/": "a:80"}


def test_the_root_answers_with_and_without_a_slash() -> None:
    assert locations(route("/x", "a", ("/", Match.EXACT))) == {"= /x": "a:80", "= /x/": "a:80"}


def test_the_longer_route_has_a_location_that_two_ask_for() -> None:
    """In either order: nginx refuses a location that stands twice."""
    routes = route("/x", "a", ("/v1", Match.PREFIX)), route("/x/v1", "b", ("/", Match.EXACT))
    for order in (routes, routes[::-1]):
        assert locations(*order)["= /x/v1"] == "b:80"


def test_how_long_a_silent_answer_may_take() -> None:
    plan = replace(plans.ONE, gateway=Gateway(idle_timeout_s=3600))
    assert "proxy_read_timeout 3600s;" in nginx.config(plan, {"chat": ["chat:80"]}, None, "8080")

"""Whom the smoke test asks, and what comes of it."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from llmdeploy.plan.model import Endpoint, Match, Plan, Probes, Route, Service
from llmdeploy.runtime.http import Client

DIRECT = "direct"


class Outcome(Struct, frozen=True):
    """One check of one model by one way: `via` is "direct", or the path of a route."""

    model: str
    via: str
    check: str
    ok: bool
    detail: str
    seconds: float


class Stoppable(Protocol):
    """An engine that we started, and may stop."""

    def terminate(self) -> None:
        """Ask its first process to stop."""

    def reap(self, timeout: float) -> bool:
        """Wait for its end; say whether it came."""


class Door(Struct, frozen=True):
    """A way to a model. `endpoints` is what it lets through; None is everything. `process` is what answers there,
    where it is ours to stop."""

    service: Service
    via: str
    client: Client
    endpoints: tuple[Endpoint, ...] | None = None
    process: Stoppable | None = None

    @property
    def model(self) -> str:
        return self.service.name

    @property
    def served_names(self) -> tuple[str, ...]:
        return self.service.served_names

    @property
    def probes(self) -> Probes:
        return self.service.probes

    def lets_through(self, path: str) -> bool:
        return self.endpoints is None or any(_fits(end, path) for end in self.endpoints)

    @property
    def stranger(self) -> Door:
        """The same way, without the key."""
        return replace(self, client=replace(self.client, key=None))


def _fits(endpoint: Endpoint, path: str) -> bool:
    below = endpoint.match is Match.PREFIX and path.startswith(f"{endpoint.path}/")
    return path == endpoint.path or below


def direct(
    service: Service, url: str, key: str | None, via: str = DIRECT, process: Stoppable | None = None
) -> Door:
    return Door(service, via, Client(url, key), process=process)


def routed(plan: Plan, url: str, key: str | None) -> list[Door]:
    """Return the doors of all routes below the gateway at `url`."""
    return [_through(plan.service(route.service), route, url, key) for route in plan.routes]


def _through(service: Service, route: Route, url: str, key: str | None) -> Door:
    client = Client(url.rstrip("/") + route.path, key)
    return Door(service, route.path or "/", client, route.endpoints)

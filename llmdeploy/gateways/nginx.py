"""Routes as a configuration of nginx.

nginx matches the path decoded and without dot segments, so `%2e%2e` climbs out of nothing. Of the locations
that fit, an exact one wins, then the longest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from llmdeploy.emit.template import render
from llmdeploy.plan.model import Endpoint, Match, Plan, Route


class _Location(Struct, frozen=True):
    pattern: str
    upstream: str
    rewrite: str


class _Pool(Struct, frozen=True):
    name: str
    addresses: tuple[str, ...]


def config(plan: Plan, upstreams: Mapping[str, Sequence[str]], resolver: str | None, listen: str) -> str:
    """Return nginx.conf. `upstreams` has each service's `host:port`s, `listen` is `[address:]port`.

    With a `resolver` (an address of a DNS server) each service has one name, and replicas are the addresses
    that it stands for. Without one, `upstreams` has plain addresses.
    """
    # One name can be a variable, and nginx then starts without it; several addresses need an upstream block.
    pools = {name: _Pool(f"to-{name}", tuple(hosts)) for name, hosts in upstreams.items() if len(hosts) > 1}
    names = {name: pools[name].name if name in pools else hosts[0] for name, hosts in upstreams.items()}
    return render(
        "gateway/nginx.conf.j2",
        idle_s=plan.gateway.idle_timeout_s,
        resolver=resolver,
        listen=listen,
        pools=pools.values(),
        locations=_locations(plan.routes, names),
    )


def _locations(routes: Sequence[Route], upstreams: Mapping[str, str]) -> list[_Location]:
    found: dict[str, _Location] = {}
    # `/a` + `/v1` and `/a/v1` + `/` are the same location: the longer route has it.
    for route in sorted(routes, key=lambda route: -len(route.path)):
        for endpoint in route.endpoints:
            for pattern, rewrite in _patterns(route, endpoint):
                found.setdefault(pattern, _Location(pattern, upstreams[route.service], rewrite))
    return list(found.values())


def _patterns(route: Route, endpoint: Endpoint) -> Iterator[tuple[str, str]]:
    """Yield (location, rewrite) for every location that an endpoint takes.

    `rewrite … break` and a proxy_pass without a path make nginx encode what it has decoded; with
    `proxy_pass http://$engine$1`, an encoded line break would end the request line.
    """
    full = route.path + endpoint.path
    yield f"= {full}", f"^ {endpoint.path}"
    if endpoint.path == "/":
        yield f"= {route.path}", "^ /"
    elif endpoint.match is Match.PREFIX:
        # (?s): a dot also stands for a decoded line break.
        yield f"{full}/", f"(?s)^{route.path.replace('.', '[.]')}(.*) $1"

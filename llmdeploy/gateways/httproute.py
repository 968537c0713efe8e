"""Routes as Gateway API.

A rule with ReplacePrefixMatch must have exactly one PathPrefix match, so there is one rule for each path that
is let through; what no rule matches is 404, and the rules are thereby the allow-list. Both timeouts are off:
left unset they are the implementation's, and Envoy's cuts any answer after 15 s.
https://gateway-api.sigs.k8s.io/reference/spec/#httprouterule
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from llmdeploy.plan.model import Endpoint, Gateway, Match, Route

Dict = dict[str, Any]

MOST_RULES = 16
"""Of one HTTPRoute, by its schema."""


def rules(routes: Sequence[Route], backend: str, port: int) -> list[Dict]:
    return [_rule(route, end, backend, port) for route in routes for end in route.endpoints]


def _rule(route: Route, end: Endpoint, backend: str, port: int) -> Dict:
    matches, rewrite = _paths(route.path, end)
    return {
        "matches": [{"path": match} for match in matches],
        "filters": [{"type": "URLRewrite", "urlRewrite": {"path": rewrite}}],
        "backendRefs": [{"name": backend, "port": port}],
        "timeouts": {"request": "0s", "backendRequest": "0s"},
    }


def _paths(prefix: str, end: Endpoint) -> tuple[list[Dict], Dict]:
    if end.match is Match.PREFIX:
        match = {"type": "PathPrefix", "value": prefix + end.path}
        return [match], {"type": "ReplacePrefixMatch", "replacePrefixMatch": end.path}
    # Clients ask an engine's root with the slash and without.
    paths = [prefix, f"{prefix}/"] if end.path == "/" else [prefix + end.path]
    exact = [{"type": "Exact", "value": path} for path in paths]
    return exact, {"type": "ReplaceFullPath", "replaceFullPath": end.path}


def specs(rules: Sequence[Dict], gateway: Gateway, parent: Mapping[str, str]) -> Iterator[Dict]:
    """Yield the specs of as many HTTPRoutes as the rules need."""
    for start in range(0, len(rules), MOST_RULES):
        yield {**_attachment(gateway, parent), "rules": list(rules[start : start + MOST_RULES])}


def redirect(gateway: Gateway, parent: Mapping[str, str]) -> Dict:
    """Return the spec of the HTTPRoute that sends plain HTTP to TLS."""
    to = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    return {**_attachment(gateway, parent), "rules": [{"filters": [to]}]}


def listeners(gateway: Gateway, port: int = 80, tls_port: int = 443) -> list[Dict]:
    """Return the listeners of a Gateway; some controllers want their own entry points' ports."""
    host = {"hostname": gateway.host} if gateway.host else {}
    here = {"allowedRoutes": {"namespaces": {"from": "Same"}}}
    plain = {"name": "http", "port": port, "protocol": "HTTP", **host, **here}
    if not gateway.tls_secret:
        return [plain]
    certificate = {"mode": "Terminate", "certificateRefs": [{"kind": "Secret", "name": gateway.tls_secret}]}
    return [
        plain,
        {"name": "https", "port": tls_port, "protocol": "HTTPS", **host, "tls": certificate, **here},
    ]


def _attachment(gateway: Gateway, parent: Mapping[str, str]) -> Dict:
    hosts = {"hostnames": [gateway.host]} if gateway.host else {}
    return {"parentRefs": [dict(parent)], **hosts}

"""Routes as an Ingress of ingress-nginx, which takes rewrites as regular expressions in annotations.

`rewrite-target` holds for every path of its Ingress and makes all of them regular expressions, blind to case
and without an end; hence one rewrite for all, and an anchor of our own. `Prefix` paths with an expression are
refused by the controller's webhook since 1.12.
https://kubernetes.github.io/ingress-nginx/user-guide/ingress-path-matching/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from llmdeploy.plan.model import Endpoint, Gateway, Match, Route

BODY_SIZE = "64m"
"""Long prompts and images; the controller's own limit is 1 MiB."""

_PREFIX = "nginx.ingress.kubernetes.io/"


def controller_settings(gateway: Gateway) -> dict[str, str]:
    idle = str(gateway.idle_timeout_s)
    return {
        f"{_PREFIX}use-regex": "true",
        f"{_PREFIX}rewrite-target": "/$1",
        f"{_PREFIX}proxy-buffering": "off",
        f"{_PREFIX}proxy-read-timeout": idle,
        f"{_PREFIX}proxy-send-timeout": idle,
        f"{_PREFIX}proxy-body-size": BODY_SIZE,
    }


def spec(
    routes: Sequence[Route], gateway: Gateway, ingress_class: str, backend: Callable[[str], str]
) -> dict[str, Any]:
    paths = [
        {
            "path": pattern(route.path, end),
            "pathType": "ImplementationSpecific",
            "backend": {"service": {"name": backend(route.service), "port": {"name": "http"}}},
        }
        for route in routes
        for end in route.endpoints
    ]
    host = {"host": gateway.host} if gateway.host else {}
    made: dict[str, Any] = {"ingressClassName": ingress_class, "rules": [{**host, "http": {"paths": paths}}]}
    if gateway.tls_secret:
        hosts = {"hosts": [gateway.host]} if gateway.host else {}
        made["tls"] = [{**hosts, "secretName": gateway.tls_secret}]
    return made


def pattern(prefix: str, end: Endpoint) -> str:
    """Return the expression for one path that is let through; group 1 is the engine's path, less the `/`."""
    front, rest = _escape(prefix), _escape(end.path[1:])
    if end.match is Match.PREFIX:
        return f"{front}/({rest}(/.*)?)$"
    return f"{front}/({rest})$" if rest else f"{front}/?()$"


def _escape(path: str) -> str:
    # Of the characters that a path may have (letters, digits, `._~-` and `/`) only the dot means anything.
    return path.replace(".", "\\.")

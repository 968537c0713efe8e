"""Paths of routes."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note

_RESERVED = {
    "/": "the gateway itself",
    "/healthz": "the gateway's own health",
    "/v1": "routing by the request's model (`by: model`)",
}


def normal(path: str) -> str:
    """Drop the trailing slash: `/chat/` and `/chat` are one path."""
    return path.rstrip("/") or "/"


def check(context: Context) -> Iterator[Diagnostic]:
    seen: dict[str, int] = {}
    for index, route in enumerate(context.spec.routes):
        path = normal(route.path)
        at = ("routes", index, "path")
        if any(segment in (".", "..") for segment in path.split("/")):
            yield Diagnostic(
                "LD105",
                f"`{route.path}` has a `.` or `..` segment",
                at,
                help="write the path that is meant, like `/chat`",
            )
        # `/v1/…` below a reserved path would be shadowed by it.
        first = "/" + path.lstrip("/").split("/")[0]
        reserved = first if first in _RESERVED and (first != "/v1" or route.by is None) else None
        if reserved:
            yield Diagnostic(
                "LD207",
                f"`{route.path}` is reserved for {_RESERVED[reserved]}",
                at,
                help="choose another path, like `/chat`",
            )
        if path.endswith("/v1") and route.by is None and not reserved:
            yield Diagnostic(
                "LD513",
                f"the engine's own paths begin with /v1, so this route serves `{path}/v1/…`",
                at,
                help=f"write `{path.removesuffix('/v1') or '/chat'}`",
            )
        if path in seen:
            yield Diagnostic(
                "LD206",
                f"two routes have the path `{path}`",
                at,
                help="give each route a path of its own",
                notes=(Note("the first", ("routes", seen[path], "path")),),
            )
        seen.setdefault(path, index)

"""Routes: what a controller's webhook refuses, and backends that are not there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from llmdeploy.targets.kubernetes.verify.problem import Object, Path, Problem, title

# ingress-nginx, internal/ingress/inspector/rules.go: what a path that is no expression may have.
PLAIN_PATH = re.compile(r"/[A-Za-z0-9._/-]*")
PATH_TYPES = ("Prefix", "Exact", "ImplementationSpecific")
MOST_RULES = 16


def routing(items: Sequence[Object]) -> Iterator[Problem]:
    services = {item["metadata"]["name"]: item for item in items if item["kind"] == "Service"}
    gateways = {item["metadata"]["name"]: item for item in items if item["kind"] == "Gateway"}
    for item in items:
        if item["kind"] == "Ingress":
            yield from (Problem(title(item), path, message) for path, message in _ingress(item, services))
        if item["kind"] == "HTTPRoute":
            yield from (
                Problem(title(item), path, message) for path, message in _route(item, services, gateways)
            )


def _ingress(item: Object, services: dict[str, Object]) -> Iterator[tuple[Path, str]]:
    for i, rule in enumerate(item["spec"].get("rules", [])):
        for j, path in enumerate(rule.get("http", {}).get("paths", [])):
            at: Path = ("spec", "rules", str(i), "http", "paths", str(j))
            kind, text = path.get("pathType"), path.get("path", "")
            if kind not in PATH_TYPES:
                yield (*at, "pathType"), f"`{kind}` is not one of {', '.join(PATH_TYPES)}"
            elif kind != "ImplementationSpecific" and not PLAIN_PATH.fullmatch(text):
                yield (*at, "path"), f"an expression needs the type ImplementationSpecific, not `{kind}`"
            backend = path.get("backend", {}).get("service", {})
            port = backend.get("port", {})
            yield from (((*at, "backend"), m) for m in _backend(backend.get("name"), port, services))


def _backend(name: str | None, port: Object, services: dict[str, Object]) -> Iterator[str]:
    """`port` has a name or a number."""
    if name not in services:
        yield f"there is no Service `{name}`"
        return
    ports = services[name]["spec"].get("ports", [])
    wanted = port.get("number") or port.get("name")
    if not any(wanted in (p.get("name"), p.get("port")) for p in ports if wanted is not None):
        yield f"Service `{name}` has no port {wanted}"


def _route(
    item: Object, services: dict[str, Object], gateways: dict[str, Object]
) -> Iterator[tuple[Path, str]]:
    spec = item["spec"]
    for index, parent in enumerate(spec.get("parentRefs", [])):
        gateway = gateways.get(parent.get("name")) if "namespace" not in parent else None
        listeners = [listener["name"] for listener in gateway["spec"]["listeners"]] if gateway else []
        section = parent.get("sectionName")
        if gateway and section and section not in listeners:
            yield (
                ("spec", "parentRefs", str(index)),
                f"Gateway `{parent['name']}` has no listener `{section}`",
            )
    rules = spec.get("rules", [])
    if len(rules) > MOST_RULES:
        yield ("spec", "rules"), f"{len(rules)} rules; an HTTPRoute takes {MOST_RULES}"
    for index, rule in enumerate(rules):
        at: Path = ("spec", "rules", str(index))
        yield from ((at, message) for message in _rewrite(rule))
        for ref in rule.get("backendRefs", []):
            port = {"number": ref.get("port")}
            yield from (
                ((*at, "backendRefs"), message) for message in _backend(ref.get("name"), port, services)
            )


def _rewrite(rule: Object) -> Iterator[str]:
    kinds = [f.get("urlRewrite", {}).get("path", {}).get("type") for f in rule.get("filters", [])]
    matches = [match.get("path", {}).get("type", "PathPrefix") for match in rule.get("matches", [])]
    if "ReplacePrefixMatch" in kinds and matches != ["PathPrefix"]:
        yield "ReplacePrefixMatch needs exactly one match, a PathPrefix"

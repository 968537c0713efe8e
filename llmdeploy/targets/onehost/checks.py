"""What one host cannot express, or leaves to its surroundings."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.plan.model import Plan, Secret
from llmdeploy.spec.targets import Docker
from llmdeploy.targets.onehost import devices


def check(plan: Plan, target: str, options: Docker) -> Iterator[Diagnostic]:
    for service in plan.services:
        yield from devices.check(target, service)
    yield from _secrets(plan, target)
    yield from _surroundings(plan, target)
    if plan.gateway.auth is None and not ipaddress.ip_address(options.bind).is_loopback:
        yield Diagnostic(
            "LD514",
            f"`{options.bind}:{options.port}` answers everyone who can reach it",
            ("targets", target, "bind"),
            help="set `gateway: {auth: SECRET}`, or `bind: 127.0.0.1`",
        )


def needed_secrets(plan: Plan) -> list[Secret]:
    """Return every secret that a container takes, once, in the plan's order."""
    found = {}
    for service in plan.services:
        used = list(service.launch.secret_env.values())
        if service.download and service.download.token:
            used.append(service.download.token)
        found.update({secret.name: secret for secret in used})
    return list(found.values())


def _secrets(plan: Plan, target: str) -> Iterator[Diagnostic]:
    for secret in needed_secrets(plan):
        if secret.env is None:
            yield Diagnostic(
                "LD402",
                f"secret `{secret.name}` has no reference that target `{target}` can read",
                secret.origin,
                help="add `env: VARIABLE`, the environment variable that holds it on the host",
            )


def _surroundings(plan: Plan, target: str) -> Iterator[Diagnostic]:
    if plan.gateway.host:
        yield Diagnostic(
            "LD407",
            f"target `{target}` answers under every host name",
            ("gateway", "host"),
            help="let the proxy in front of it check the name",
        )
    if plan.gateway.tls_secret:
        yield Diagnostic(
            "LD407",
            f"target `{target}` speaks plain HTTP",
            ("gateway", "tls"),
            help="end TLS in a proxy in front of it",
        )

"""Names of containers, none of which two can have."""

from __future__ import annotations

from llmdeploy.plan.model import Plan


def gateway(plan: Plan) -> str:
    # A model's name is a DNS label and has no underscore, so the second name is always free.
    return _free(plan, "gateway", "llmdeploy_gateway")


def replica(plan: Plan, service: str, index: int) -> str:
    """Return the name of a service's replica, counted from 1; the first has the service's own."""
    return service if index == 1 else _beside(plan, service, str(index))


def download(plan: Plan, service: str) -> str:
    return _beside(plan, service, "download")


def _beside(plan: Plan, service: str, word: str) -> str:
    return _free(plan, f"{service}-{word}", f"{service}_{word}")


def _free(plan: Plan, name: str, otherwise: str) -> str:
    return otherwise if any(service.name == name for service in plan.services) else name

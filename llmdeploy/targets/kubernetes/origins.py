"""Where in llm.yaml something comes from."""

from __future__ import annotations

from typing import Any

from llmdeploy.diagnostics import Path
from llmdeploy.plan.model import Plan, Secret


def section(plan: Plan, target: str, field: str) -> Path:
    """Return where an option is stated: helm takes each one from kubernetes that it does not state itself."""
    shared: Any = plan.options.get("kubernetes")
    same = shared is not None and getattr(shared, field) == getattr(plan.options[target], field)
    return ("targets", "kubernetes" if same else target, field)


def used_secrets(plan: Plan) -> list[Secret]:
    """Return every secret that a Pod refers to, once, in the order of the plan."""
    found = [plan.gateway.auth] if plan.gateway.auth else []
    for service in plan.services:
        found += service.launch.secret_env.values()
        if service.download and service.download.token:
            found.append(service.download.token)
    return list({secret.name: secret for secret in found}.values())

"""compose.yaml, before it is text."""

from __future__ import annotations

import json
from typing import Any

from llmdeploy.plan.model import Plan
from llmdeploy.spec.targets import Compose
from llmdeploy.targets.compose.interpolation import escape
from llmdeploy.targets.compose.service import service
from llmdeploy.targets.onehost.container import ENGINES
from llmdeploy.targets.onehost.stack import Stack, Unit, stack


def document(plan: Plan, options: Compose) -> dict[str, Any]:
    whole = stack(plan, options)
    networks = sorted({network for container in whole.containers for network in container.networks})
    made: dict[str, Any] = {
        "name": plan.name,
        "services": _services(whole),
        # The internal one has no way out: an engine can neither fetch nor send anything.
        "networks": {name: {"internal": True} if name == ENGINES else {} for name in networks},
        # Named as the docker scripts name them: one host fetches the weights once.
        "volumes": {name: {"name": f"{plan.name}-{name}"} for name in whole.volumes},
        "secrets": _secrets(whole),
    }
    escaped = escape({key: value for key, value in made.items() if value})
    # Last and unescaped: who writes `${X}` in an override means it.
    merged: dict[str, Any] = merge(escaped, _plain(options.overrides))
    return merged


def _plain(overrides: dict[str, Any]) -> Any:
    """Return plain data: numbers of llm.yaml remember their spelling, and no writer knows them."""
    return json.loads(json.dumps(overrides))


def merge(base: Any, override: Any) -> Any:
    """Merge mappings key by key; anything else is replaced."""
    if not (isinstance(base, dict) and isinstance(override, dict)):
        return override
    return {**base, **{key: merge(base.get(key), value) for key, value in override.items()}}


def _services(whole: Stack) -> dict[str, Any]:
    services: dict[str, Any] = {}
    for unit in whole.units:
        before = {}
        if unit.download:
            services[unit.download.name] = service(unit.download, {})
            before = {unit.download.name: "service_completed_successfully"}
        first = {**before, **dict.fromkeys(_earlier(whole, unit), "service_healthy")}
        services.update({engine.name: service(engine, first) for engine in unit.engines})
    if whole.gateway:
        engines = [engine.name for unit in whole.units for engine in unit.engines]
        services[whole.gateway.name] = service(whole.gateway, dict.fromkeys(engines, "service_healthy"))
    return services


def _earlier(whole: Stack, unit: Unit) -> list[str]:
    """Return the containers that must be ready before those of a unit start."""
    first = [each for each in whole.units if each.service.name in unit.service.after]
    return [engine.name for each in first for engine in each.engines]


def _secrets(whole: Stack) -> dict[str, Any]:
    tokens = [container.token[1] for container in whole.containers if container.token]
    return {token.name: {"environment": token.env} for token in tokens}

"""`out/README.md`: what was built, how to reach it, how to start and stop it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from llmdeploy.emit import shell
from llmdeploy.emit.artifact import Artifact
from llmdeploy.emit.template import render
from llmdeploy.plan.model import Match, Plan, Route
from llmdeploy.targets.base import Target


def readme(plan: Plan, targets: Sequence[Target]) -> Artifact:
    return Artifact(
        "README.md",
        render(
            "README.md.j2",
            plan=plan,
            guides=[(target.name, target.guide(plan)) for target in targets],
            reach=[reach(route) for route in plan.routes],
            question=question,
        ),
    )


def question(plan: Plan, base_url: str, *, has_gateway: bool = True) -> str:
    """Return a line of curl that asks the model of the first route, or the first model."""
    model = plan.service(plan.routes[0].service) if plan.routes else plan.services[0]
    path = plan.routes[0].path if plan.routes and has_gateway else ""
    body: dict[str, Any] = {"model": model.served_names[0]}
    if model.task == "embed":
        endpoint, body["input"] = "embeddings", "Hello"
    else:
        endpoint, body["messages"] = "chat/completions", [{"role": "user", "content": "Hello"}]
    words = ["curl", f"{base_url}{path}/v1/{endpoint}", "-H 'Content-Type: application/json'"]
    if auth := plan.gateway.auth:
        words.append(f'-H "Authorization: Bearer ${auth.env or "LLM_API_KEY"}"')
    return " ".join((*words, "-d", shell.quote(json.dumps(body))))


def reach(route: Route) -> tuple[str, str, tuple[str, ...]]:
    """Return (path, model, the paths below it that are let through) of a route."""
    below = tuple(
        route.path + ("/" if end.path == "/" else end.path) + ("/…" if end.match is Match.PREFIX else "")
        for end in route.endpoints
    )
    return route.path, route.service, below

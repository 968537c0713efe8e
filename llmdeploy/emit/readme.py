"""`out/README.md`: what was built, how to reach it, how to start and stop it."""

from __future__ import annotations

from collections.abc import Sequence

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
        ),
    )


def reach(route: Route) -> tuple[str, str, tuple[str, ...]]:
    """Return (path, model, the paths below it that are let through) of a route."""
    below = tuple(
        route.path + ("/" if end.path == "/" else end.path) + ("/…" if end.match is Match.PREFIX else "")
        for end in route.endpoints
    )
    return route.path, route.service, below

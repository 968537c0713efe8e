"""Fields that llm.yaml has and this release does not act on. Accepting them in silence would be a lie."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic


def check(context: Context) -> Iterator[Diagnostic]:
    for index, route in enumerate(context.spec.routes):
        if route.by is not None:
            yield Diagnostic(
                "LD110",
                "`by: model` is not supported yet",
                ("routes", index, "by"),
                help="give each model a path of its own: `{path: /chat, model: chat}`",
            )

"""Fields that speak of a Hub repository, where the source is none."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Place


def check(context: Context) -> Iterator[Diagnostic]:
    idle: tuple[str, ...]
    for name, model in context.spec.models.items():
        if model.source.path is not None:
            fetched = any(source.hub for _, source in model.further_sources())
            what, idle = "a directory", ("revision",) if fetched else ("revision", "token")
        elif model.source.openllm is not None:
            what, idle = "an OpenLLM tag, which stands for one commit", ("revision",)
        else:
            continue
        for key in idle:
            if getattr(model, key) is not None:
                yield Diagnostic(
                    "LD106",
                    f"`{key}` is for a Hub repository, and the source of `{name}` is {what}",
                    ("models", name, key),
                    help=f"remove `{key}`, or name a Hub id as `source`",
                    place=Place.KEY,
                )

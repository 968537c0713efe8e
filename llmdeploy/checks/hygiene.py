"""What is legal and still probably not what was meant: warnings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from llmdeploy import catalog
from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note, Path, Place
from llmdeploy.plan.placement import pool_of


def check(context: Context) -> Iterator[Diagnostic]:
    yield from _unreached(context)
    yield from _served_twice(context)
    yield from _gated(context)
    yield from _unused(context)


def _unreached(context: Context) -> Iterator[Diagnostic]:
    reached = {route.model for route in context.spec.routes}
    # A route to an unknown model was probably meant for the one that seems unreached; it has its own error.
    if any(route.by for route in context.spec.routes) or not reached <= context.spec.models.keys():
        return
    for name in context.spec.models:
        if name not in reached:
            yield Diagnostic(
                "LD501",
                f"no route reaches `{name}`",
                ("models", name),
                help=f"add `{{path: /{name}, model: {name}}}` to `routes`",
                place=Place.KEY,
            )


def _served_twice(context: Context) -> Iterator[Diagnostic]:
    owners: dict[str, list[tuple[str, Path]]] = defaultdict(list)
    for name, model in context.spec.models.items():
        if model.served_names is None:
            owners[name].append((name, ("models", name)))
            continue
        for index, served in enumerate(model.served_names):
            owners[served].append((name, ("models", name, "served_names", index)))
    for served, places in owners.items():
        for owner, path in places[1:]:
            yield Diagnostic(
                "LD502",
                f"`{served}` is listed twice"
                if owner == places[0][0]
                else f"`{served}` is served by `{places[0][0]}` and by `{owner}`",
                path,
                help="give each model names of its own in `served_names`",
                notes=(Note("the first", places[0][1]),),
            )


def _gated(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        further = ((path, source.hub) for path, source in model.further_sources())
        for path, hub in ((("source",), context.hub_id(name)), *further):
            if hub is not None and model.token is None and catalog.gated(hub):
                yield Diagnostic(
                    "LD503",
                    f"`{hub}` is gated, and `{name}` has no token",
                    ("models", name, *path),
                    help="declare `secrets: {hf-token: {env: HF_TOKEN}}` and set `token: hf-token` on the model",
                )


def _unused(context: Context) -> Iterator[Diagnostic]:
    """As above, a name that does not exist was probably meant for what seems unused."""
    spec = context.spec
    pools = {pool_of(spec, name) for name in spec.models}
    for pool in spec.gpus if None not in pools else ():
        if pool not in pools:
            yield Diagnostic(
                "LD510",
                f"no model runs on pool `{pool}`",
                ("gpus", pool),
                help="remove it, or name it in a model's `gpus.pool`",
                place=Place.KEY,
            )
    used = {model.token for model in spec.models.values()} | {spec.gateway.auth}
    for secret in spec.secrets if used - {None} <= spec.secrets.keys() else ():
        if secret not in used:
            yield Diagnostic(
                "LD510",
                f"nothing uses secret `{secret}`",
                ("secrets", secret),
                help="remove it, or name it in `token` or `gateway.auth`",
                place=Place.KEY,
            )

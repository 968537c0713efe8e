"""Fields that llm.yaml has and this release does not act on. Accepting them in silence would be a lie."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Path, Place
from llmdeploy.spec.model import Model

_MODEL_FIELDS = ("needs",)


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        path: Path = ("models", name)
        for field in _MODEL_FIELDS:
            if field in model.model_fields_set:
                yield _not_yet((*path, field), f"`{field}`", "remove it", Place.KEY)
        yield from _values(path, model)
    for index, route in enumerate(context.spec.routes):
        if route.by is not None:
            yield _not_yet(
                ("routes", index, "by"),
                "`by: model`",
                "give each model a path of its own: `{path: /chat, model: chat}`",
            )


def _values(path: Path, model: Model) -> Iterator[Diagnostic]:
    if model.engine == "auto":
        yield _not_yet((*path, "engine"), "`engine: auto`", "name one: `vllm`, `sglang`, `tgi` or `openllm`")


def _not_yet(path: Path, what: str, help: str, place: Place = Place.VALUE) -> Diagnostic:
    return Diagnostic("LD110", f"{what} is not supported yet", path, help=help, place=place)

"""LoRA adapters and drafters: what stands beside a model."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Path, Place
from llmdeploy.spec.model import Model


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        yield from _tags(name, model)
        yield from _names(name, model)
        yield from _ranks(context, name, model)


def _tags(name: str, model: Model) -> Iterator[Diagnostic]:
    for path, source in model.further_sources():
        if source.openllm is not None:
            yield Diagnostic(
                "LD315",
                "an OpenLLM tag stands for a whole model, and not for a part of one",
                ("models", name, *path, "openllm"),
                help="name a Hub id or a directory",
            )


def _names(name: str, model: Model) -> Iterator[Diagnostic]:
    """Clients ask for an adapter as they ask for a model: by its name."""
    served = model.served_names or [name]
    for adapter in model.adapters or {}:
        if adapter in served:
            yield Diagnostic(
                "LD201",
                f"the adapter `{adapter}` has the name of its model",
                ("models", name, "adapters", adapter),
                help="give the adapter a name of its own: clients tell the two apart by it",
                place=Place.KEY,
            )


def _ranks(context: Context, name: str, model: Model) -> Iterator[Diagnostic]:
    """An engine refuses an adapter whose matrices are larger than it was told to make room for."""
    for key, adapter in (model.adapters or {}).items():
        path: Path = ("models", name, "adapters", key, "rank")
        rank = context.facts.ranks.get(adapter.source.path or "")
        if rank is not None and rank != adapter.rank:
            yield Diagnostic(
                "LD350",
                f"the adapter `{key}` has rank {rank}, and {adapter.rank} is stated",
                path,
                help=f"write `rank: {rank}`, as its adapter_config.json says",
            )

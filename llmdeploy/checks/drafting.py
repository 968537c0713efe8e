"""Drafts by layers that the model itself must have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdeploy.checks.architecture import notes
from llmdeploy.checks.context import Context
from llmdeploy.checks.engines import release_of
from llmdeploy.diagnostics import Diagnostic, Path

LAYERS = ("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules")
"""How a config.json counts layers that predict further tokens."""


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        wanted, release = model.speculative, release_of(context, name)
        if wanted is None or wanted.method != "mtp" or wanted.model is not None or release is None:
            continue
        path: Path = ("models", name, "speculative")
        help = (
            "write `method: ngram`, which needs no layers, or name a drafter: `method: eagle3` with a `model`"
        )
        counted = _counted(context.facts.configs.get(model.source.path or "", {}))
        if counted is not None:
            message = (
                f"`method: mtp` drafts by layers of the model, and config.json of `{name}` has `{counted}: 0`"
            )
            yield Diagnostic("LD353", message, path, help)
            continue
        facts, able = context.model_facts(name), release.limits.mtp
        if facts is None or able is None:
            continue
        names = {*facts.architectures, *([facts.model_type] if facts.model_type else [])}
        if names and not names & able:
            what = facts.model_type or facts.architectures[0]
            message = f"{release.name} has no MTP layers of `{what}` models, which is what `{name}` is"
            stated = notes(context, name, "model_type", "architectures")
            yield Diagnostic("LD353", message, path, help, stated)


def _counted(config: Mapping[str, Any]) -> str | None:
    """Return the key by which a config.json says that the layers are not there."""
    nested = config.get("text_config")
    parts = (config, nested if isinstance(nested, Mapping) else {})
    return next((key for part in parts for key in LAYERS if part.get(key) == 0), None)

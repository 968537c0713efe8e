"""Drafts by layers that the model itself must have, and by a model that must have the same words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdeploy.checks.architecture import notes
from llmdeploy.checks.context import Context
from llmdeploy.checks.engines import release_of
from llmdeploy.diagnostics import Diagnostic, Path
from llmdeploy.memory.model import Model as Known

LAYERS = ("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules")
"""How a config.json counts layers that predict further tokens."""


def check(context: Context) -> Iterator[Diagnostic]:
    yield from _layers(context)
    for name, model in context.spec.models.items():
        if model.speculative is not None and model.speculative.method == "draft":
            yield from _vocabulary(context, name)


def _vocabulary(context: Context, name: str) -> Iterator[Diagnostic]:
    """Source: vLLM 0.33, config/speculative.py (verify_equal_vocab_size_if_draft_model), and SGLang 0.5.23,
    srt/speculative/standalone_worker_v2.py (_validate_vocab_compatibility): both refuse to start."""
    drafter = context.drafter(name)
    own, other = _words(context.checkpoint(name)), _words(drafter) if drafter else None
    if drafter is None or own is None or other is None or own == other:
        return
    yield Diagnostic(
        "LD547",
        f"`{drafter.id}` drafts from a vocabulary of {other}, and that of `{name}` has {own}: engines take no such draft",
        ("models", name, "speculative", "model"),
        "name a drafter with the vocabulary of the model (the smallest of its own series), or write `method: ngram`",
        notes(context, name, "vocab_size"),
    )


def _words(model: Known) -> int | None:
    nested = model.config.get("text_config")
    size = (nested if isinstance(nested, Mapping) else model.config).get("vocab_size")
    return size if type(size) is int else None


def _layers(context: Context) -> Iterator[Diagnostic]:
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
        able, names = release.limits.mtp, _called(context, name)
        if able is not None and names and not able.intersection(names):
            what = names[0]
            message = f"{release.name} has no MTP layers of `{what}` models, which is what `{name}` is"
            stated = notes(context, name, "model_type", "architectures")
            yield Diagnostic("LD353", message, path, help, stated)


def _called(context: Context, name: str) -> list[str]:
    """Return what a model is called: its `model_type`, and the classes that its config.json names."""
    facts, config = context.model_facts(name), context.checkpoint(name).config
    kind = (facts.model_type if facts else None) or config.get("model_type")
    classes = (facts.architectures if facts else ()) or config.get("architectures") or ()
    return [str(each) for each in (kind, *classes) if each]


def _counted(config: Mapping[str, Any]) -> str | None:
    """Return the key by which a config.json says that the layers are not there."""
    nested = config.get("text_config")
    parts = (config, nested if isinstance(nested, Mapping) else {})
    return next((key for part in parts for key in LAYERS if part.get(key) == 0), None)

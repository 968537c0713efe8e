"""Facts that llm.yaml states of a model, against the config.json that the engine will read."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note, Path
from llmdeploy.facts.config import said, stated
from llmdeploy.facts.sources import Named, sources

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
"""config.json's words for the number of experts."""


def check(context: Context) -> Iterator[Diagnostic]:
    yield from _contradictions(context)
    for name, model in context.spec.models.items():
        for source in sources(context.spec, model):
            yield from _with_itself(context, name, source)


def _with_itself(context: Context, name: str, source: Named) -> Iterator[Diagnostic]:
    """What was read of a model, with what llm.yaml adds, contradicts itself. The catalog does not, as a test holds."""
    architecture = context.spec.models[name].architecture if source.below == ("source",) else None
    read = context.facts.checkpoints.get(source.key)
    if read is None and architecture is None:
        return
    from llmdeploy.memory.contradictions import (
        contradictions,
    )  # who names a model of the catalog does not pay for it

    known = context.checkpoint(name) if source.below == ("source",) else read
    for found in contradictions(known.config if known else {}):
        own = [key.split(".") for key in found.keys]
        stated = [
            keys
            for keys in own
            if architecture is not None
            and keys[0] in architecture.model_fields_set
            and (read is None or said(read.config, keys[0]) is None)
        ]
        whose = f"`{name}`" if stated else _file(source)
        verb = "has" if found.code == "LD351" else "contradicts itself:"
        path: Path = ("models", name, *(("architecture", *stated[0]) if stated else source.below))
        yield Diagnostic(found.code, f"{whose} {verb} {found.text}", path, found.help)


def _file(source: Named) -> str:
    if source.path is None:
        return f"the config.json of `{source.key}`"
    return f"`{source.path}`" if source.path.endswith(".gguf") else f"`{source.path}/config.json`"


def _contradictions(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        read = context.read_facts(name)
        if read is None or model.architecture is None:
            continue
        config = context.checkpoint(name).config
        for key, value in model.architecture.model_dump(exclude_unset=True).items():
            # A key that is no fact of its own is for the ledger alone.
            pairs = [(getattr(read, fact), here) for fact, here in stated({key: value}).items()]
            for there, here in pairs or [(said(config, key), value)]:
                if there not in (None, ()) and there != here:
                    yield Diagnostic(
                        "LD523",
                        f"config.json says {_words(there)} where `{key}` of llm.yaml says {_words(here)}; config.json is believed",
                        ("models", name, "architecture", key),
                        "remove it: the engine reads config.json and nothing else",
                    )
                    break


def notes(context: Context, name: str, *keys: str) -> tuple[Note, ...]:
    """Return where llm.yaml itself states facts that a finding rests on."""
    architecture = context.spec.models[name].architecture
    given = [key for key in keys if architecture and key in architecture.model_fields_set]
    path: Path = ("models", name, "architecture")
    # One note for the mapping and one for each that is nested in it, not one for each number.
    places = dict.fromkeys((*path, key) if key.endswith("_config") else path for key in given)
    return tuple(Note("stated here", place) for place in places)


def _words(fact: object) -> str:
    if isinstance(fact, bool):
        return f"`{str(fact).lower()}`"
    return ", ".join(map(str, fact)) if isinstance(fact, (tuple, list)) else f"`{fact}`"

"""Facts that llm.yaml states of a model, against the config.json that the engine will read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdeploy.catalog import ModelFacts, configs
from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note, Path
from llmdeploy.facts.config import facts, said, stated
from llmdeploy.facts.sources import Named, sources
from llmdeploy.spec.architecture import Architecture

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
"""config.json's words for the number of experts."""


def check(context: Context) -> Iterator[Diagnostic]:
    yield from _contradictions(context)
    yield from _misstated(context)
    yield from _lacks(context)
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
            place
            for keys in own
            if architecture is not None
            and (place := _place(architecture, keys)) is not None
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
    """What llm.yaml states, against the config.json that was read, or what the catalog knows of it."""
    for name, model in context.spec.models.items():
        if model.architecture is None:
            continue
        read, hub = context.read_facts(name), context.hub_id(name)
        row = configs.config(hub) if hub else None
        if read is not None:
            found = _otherwise(model.architecture, read, context.checkpoint(name).config)
        elif row is not None and (known := facts(row.config, row.id)) is not None:
            # A row has the `model_type` of the language model, whatever the whole is called.
            found = (
                each for each in _otherwise(model.architecture, known, row.config) if each[1] != "model_type"
            )
        else:
            continue
        for place, key, there, here in found:
            path: Path = ("models", name, "architecture", *place)
            if read is not None:
                text = (
                    f"config.json says {there} where `{key}` of llm.yaml says {here}; config.json is believed"
                )
                help = "remove it: the engine reads config.json and nothing else"
                yield Diagnostic("LD523", text, path, help)
            else:
                text = f"the config.json of `{hub}` says {there} where `{key}` of llm.yaml says {here}; llm.yaml is believed"
                help = "correct it, or remove it: what is not stated is taken from the catalog"
                yield Diagnostic("LD557", text, path, help)


def _otherwise(
    architecture: Architecture, known: ModelFacts, config: Mapping[str, Any]
) -> Iterator[tuple[tuple[str, ...], str, str, str]]:
    """Yield where a key stands that says otherwise than what is known, the key, and what the two say."""
    for place, key, value in _each(architecture):
        # A key that is no fact of its own is for the ledger alone.
        pairs = [(getattr(known, fact), here) for fact, here in stated({key: value}).items()]
        for there, here in pairs or [(said(config, key), value)]:
            if there not in (None, ()) and here is not None and there != here:
                yield place, key, _words(there), _words(here)
                break


def _each(architecture: Architecture) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """Yield every key with its value and its place; of a `text_config`, those in it."""
    for key, value in architecture.model_dump(exclude_unset=True).items():
        if key == "text_config" and isinstance(value, dict):
            yield from (((key, inner), inner, each) for inner, each in value.items())
        else:
            yield (key,), key, value


def _place(architecture: Architecture, keys: list[str]) -> tuple[str, ...] | None:
    """Return where a dotted key stands below `architecture`; None where it does not."""
    if keys[0] in architecture.model_fields_set:
        return tuple(keys)
    return ("text_config", *keys) if keys[0] in (architecture.text_config or {}) else None


def _misstated(context: Context) -> Iterator[Diagnostic]:
    """Values of another kind than a config.json may have them, deeper than the shape of llm.yaml goes."""
    for name, model in context.spec.models.items():
        if model.architecture is None:
            continue
        from llmdeploy.facts.kinds import misstated  # who states none does not pay for it

        for found in misstated(model.architecture.model_dump(exclude_unset=True)):
            path: Path = ("models", name, "architecture", *found.key.split("."))
            text = f"`{found.key}` of `architecture` is {_words(found.value)}, and {found.wanted} is wanted"
            yield Diagnostic("LD103", text, path, "copy it from config.json as it is")


def _lacks(context: Context) -> Iterator[Diagnostic]:
    """A class whose own keys are not all there is not weighed, for it would be weighed as another."""
    for name, model in context.spec.models.items():
        if model.architecture is None:
            continue
        from llmdeploy.memory.needs import lacking  # who states none does not pay for it

        kind, missing = lacking(context.checkpoint(name).config)
        if missing:
            named = ", ".join(f"`{key}`" for key in missing)
            text = f"`{name}` lacks {named}, which a `{kind}` is made of: its memory cannot be computed"
            help = "copy what lacks from its config.json, or all of it as it is"
            yield Diagnostic("LD556", text, ("models", name, "architecture"), help)


def notes(context: Context, name: str, *keys: str) -> tuple[Note, ...]:
    """Return where llm.yaml itself states facts that a finding rests on."""
    architecture = context.spec.models[name].architecture
    path: Path = ("models", name, "architecture")
    given = [place for key in keys if architecture and (place := _place(architecture, [key]))]
    # One note for the mapping and one for each that is nested in it, not one for each number.
    places = dict.fromkeys((*path, place[0]) if place[0].endswith("_config") else path for place in given)
    return tuple(Note("stated here", place) for place in places)


def _words(fact: object) -> str:
    if isinstance(fact, bool):
        return f"`{str(fact).lower()}`"
    return ", ".join(map(str, fact)) if isinstance(fact, (tuple, list)) else f"`{fact}`"

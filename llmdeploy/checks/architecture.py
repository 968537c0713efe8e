"""Facts that llm.yaml states of a model, against the config.json that the engine will read."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note, Path
from llmdeploy.facts.config import stated

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")
"""config.json's words for the number of experts."""


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        read = context.read_facts(name)
        if read is None or model.architecture is None:
            continue
        for key, value in model.architecture.model_dump(exclude_unset=True).items():
            for fact, here in stated({key: value}).items():
                there = getattr(read, fact)
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
    return ", ".join(map(str, fact)) if isinstance(fact, tuple) else f"`{fact}`"

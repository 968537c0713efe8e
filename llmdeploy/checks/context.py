"""What a check may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field
from msgspec.structs import asdict, force_setattr, replace

from llmdeploy import catalog
from llmdeploy.catalog import configs
from llmdeploy.diagnostics import Diagnostic
from llmdeploy.engines.base import Engine
from llmdeploy.engines.limits import Limits
from llmdeploy.facts import Facts, config
from llmdeploy.facts.sources import Named, main_source, sources
from llmdeploy.memory import overrides
from llmdeploy.memory.model import Model
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.packing import Layout
from llmdeploy.plan.placement import layout
from llmdeploy.plan.policy import Choice
from llmdeploy.spec.model import Spec
from llmdeploy.targets.base import Target


class Context(Struct, frozen=True):
    """The parsed file with everything that stands beside it; `targets` are the ones to be built."""

    spec: Spec
    facts: Facts
    pools: Mapping[str, Hardware]
    engines: Mapping[str, Engine]
    targets: Mapping[str, Target]
    choices: Mapping[str, Choice] = field(default_factory=dict)
    """Of the models that leave their engine to us."""
    seatings: dict[str, Layout] = field(default_factory=dict)
    """Of the pools that were asked for; each is asked for once a model."""
    doubts: dict[str, str | None] = field(default_factory=dict)
    """Of the models whose headers were held against config.json."""

    def __post_init__(self) -> None:
        """Begin without seatings: what `replace` makes of a context has another spec, or other pools."""
        force_setattr(self, "seatings", {})

    def engine_of(self, model: str) -> str:
        """Return the engine that the model names, the one that was chosen, or the default for its source."""
        stated = self.spec.models[model].engine
        if stated == "auto" and model in self.choices:
            return self.choices[model].engine or stated
        return stated or ("openllm" if self.spec.models[model].source.openllm else "vllm")

    def hub_id(self, model: str) -> str | None:
        """Return the Hub id that the weights come from; None for a directory."""
        source = self.spec.models[model].source
        if source.openllm is not None:
            bento = catalog.bento(source.openllm)
            return bento.hub_id if bento else None
        return source.hub

    def limits_of(self, model: str) -> Limits:
        """Return what the release that serves a model can run. The engine must be known."""
        engine = self.engines[self.engine_of(model)]
        return engine.limits(self.spec.models[model].engine_version or engine.versions[0])

    def model_facts(self, model: str) -> catalog.ModelFacts | None:
        """Return what is known of a model: its own config.json before llm.yaml's `architecture` before the catalog.

        What `engine_args` change of a config.json comes before them all.
        """
        known, changes = self._model_facts(model), overrides.stated(self.spec.models[model].engine_args)
        if known is None or not changes:
            return known
        made = self.checkpoint(model)
        before, after = (
            config.facts(each.config, model) for each in (made, overrides.overridden(made, changes))
        )
        if before is None or after is None:
            return known
        changed = {name: value for name, value in asdict(after).items() if value != getattr(before, name)}
        return replace(known, **changed)

    def _model_facts(self, model: str) -> catalog.ModelFacts | None:
        hub, read = self.hub_id(model), self.read_facts(model)
        stated = self.stated_facts(model)
        if read is not None:
            missing = {name: value for name, value in stated.items() if getattr(read, name) in (None, ())}
            return replace(read, **missing) if missing else read
        known = catalog.model(hub) if hub else None
        if not stated:
            return known
        return replace(known or catalog.ModelFacts(id=model, source="llm.yaml"), **stated)

    def read_facts(self, model: str) -> catalog.ModelFacts | None:
        """Return what its own config.json says, where that was read."""
        return self.facts.models.get(main_source(self.spec, self.spec.models[model]).key)

    def checkpoint(self, model: str) -> Model:
        """Return what its ledger is made of: config.json and headers, or what is known of them, and `architecture`."""
        stated = self.spec.models[model].architecture
        words = stated.model_dump(exclude_unset=True) if stated else {}
        found = self._checkpoint(model, main_source(self.spec, self.spec.models[model]), words)
        if found.tensors is None:
            return found
        if self.load_format(model) == "dummy":  # made from config.json; no file is read
            return replace(found, tensors=None)
        if model not in self.doubts:
            from llmdeploy.memory.crosscheck import doubt  # who has no weights here does not pay for it

            self.doubts[model] = doubt(found)
        return replace(found, doubt=self.doubts[model])

    def load_format(self, model: str) -> str:
        """Return how vLLM and SGLang are told to read the weights; with `dummy` they make them up."""
        stated = self.spec.models[model].engine_args
        named = {key.lstrip("-").replace("_", "-"): value for key, value in stated.items()}
        return str(named.get("load-format", "auto"))

    def drafter(self, model: str) -> Model | None:
        """Return the same of what drafts for a model, where that is a checkpoint of its own."""
        named = next(
            (each for each in sources(self.spec, self.spec.models[model]) if each.below[0] == "speculative"),
            None,
        )
        return self._checkpoint(model, named, {}) if named else None

    def _checkpoint(self, model: str, named: Named, stated: Mapping[str, Any]) -> Model:
        from llmdeploy.facts.completed import completed

        row = configs.config(named.hub_id) if named.hub_id else None
        known = Model(row.id, row.source, row.config) if row else None
        found = completed(model, self.facts.checkpoints.get(named.key), stated, known)
        return found or Model(named.key or model, "", {})

    def stated_facts(self, model: str) -> Mapping[str, Any]:
        """Return the facts that llm.yaml itself states, by the names of `ModelFacts`."""
        architecture = self.spec.models[model].architecture
        return config.stated(architecture.model_dump(exclude_unset=True)) if architecture else {}

    def seating(self, pool: Hardware) -> Layout:
        """Return who sits on which card of a pool's node."""
        if pool.name not in self.seatings:
            self.seatings[pool.name] = layout(self.spec, pool)
        return self.seatings[pool.name]

    def on_trial(self, spec: Spec, **changes: Any) -> Context:
        """Return the same with another spec, and whatever else changes."""
        return replace(self, spec=spec, **changes)


Check = Callable[[Context], Iterator[Diagnostic]]

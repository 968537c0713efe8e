"""What a check may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from llmdeploy import catalog
from llmdeploy.catalog import configs
from llmdeploy.diagnostics import Diagnostic
from llmdeploy.engines.base import Engine
from llmdeploy.engines.limits import Limits
from llmdeploy.facts import Facts, config
from llmdeploy.memory import Model
from llmdeploy.plan.hardware import Hardware
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
        """Return what is known of a model: its own config.json before llm.yaml's `architecture` before the catalog."""
        source, hub = self.spec.models[model].source, self.hub_id(model)
        read = self.facts.models.get(hub or source.path or "")
        stated = self.stated_facts(model)
        if read is not None:
            missing = {name: value for name, value in stated.items() if getattr(read, name) in (None, ())}
            return replace(read, **missing) if missing else read
        known = catalog.model(hub) if hub else None
        if not stated:
            return known
        return replace(known or catalog.ModelFacts(id=model, source="llm.yaml"), **stated)

    def checkpoint(self, model: str) -> Model:
        """Return what a ledger is made of: config.json and headers, or what is known of them, and `architecture`."""
        stated, place = self.spec.models[model], self.hub_id(model) or self.spec.models[model].source.path or ""
        known = self.checkpoint_of(place)
        if stated.architecture is None:
            return known
        words = stated.architecture.model_dump(exclude_unset=True)
        # Like for `model_facts`: what was read of the checkpoint itself wins.
        read = place in self.facts.checkpoints
        config = {**words, **known.config} if read else {**known.config, **words}
        return replace(known, config=config, source=known.source if read else "llm.yaml")

    def checkpoint_of(self, place: str) -> Model:
        """Return what is known of a directory or Hub id, as llm.yaml spells it; an empty config where nothing is."""
        read = self.facts.checkpoints.get(place)
        if read is not None:
            return read
        known = configs.config(place)
        return Model(place, known.source, known.config) if known else Model(place, "", {})

    def stated_facts(self, model: str) -> Mapping[str, Any]:
        """Return the facts that llm.yaml itself states, by the names of `ModelFacts`."""
        architecture = self.spec.models[model].architecture
        return config.stated(architecture.model_dump(exclude_unset=True)) if architecture else {}


Check = Callable[[Context], Iterator[Diagnostic]]

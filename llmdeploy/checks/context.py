"""What a check may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from llmdeploy import catalog
from llmdeploy.diagnostics import Diagnostic
from llmdeploy.engines.base import Engine
from llmdeploy.facts import Facts
from llmdeploy.plan.hardware import Hardware
from llmdeploy.spec.model import Spec
from llmdeploy.targets.base import Target


@dataclass(frozen=True, slots=True)
class Context:
    """The parsed file with everything that stands beside it; `targets` are the ones to be built."""

    spec: Spec
    facts: Facts
    pools: Mapping[str, Hardware]
    engines: Mapping[str, Engine]
    targets: Mapping[str, Target]

    def engine_of(self, model: str) -> str:
        """Return the engine that the model names, or the default for its source."""
        stated = self.spec.models[model].engine
        return stated or ("openllm" if self.spec.models[model].source.openllm else "vllm")

    def hub_id(self, model: str) -> str | None:
        """Return the Hub id that the weights come from; None for a directory."""
        source = self.spec.models[model].source
        if source.openllm is not None:
            bento = catalog.bento(source.openllm)
            return bento.hub_id if bento else None
        return source.hub

    def model_facts(self, model: str) -> catalog.ModelFacts | None:
        """Return what is known of the model's architecture, or None."""
        source = self.spec.models[model].source
        hub = self.hub_id(model)
        given = self.facts.models.get(hub or source.path or "")
        return given or (catalog.model(hub) if hub else None)


Check = Callable[[Context], Iterator[Diagnostic]]

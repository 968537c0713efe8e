"""One source of weights each: what checks ask of it at once, and what is read when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from llmdeploy.catalog import ModelFacts
from llmdeploy.facts import config
from llmdeploy.facts.documents import Document
from llmdeploy.facts.flaw import Flaw
from llmdeploy.facts.places import Places

if TYPE_CHECKING:
    from llmdeploy.facts.hub_cache import Repository
    from llmdeploy.facts.weights import Reading
    from llmdeploy.memory.model import Model


class Reader(Protocol):
    """Nothing here raises. What reads headers is imported when there is something to read."""

    def facts(self) -> ModelFacts | None: ...
    def model(self) -> Model | None: ...
    def flaw(self) -> Flaw | None: ...


class Local:
    """A directory, or a GGUF file, that llm.yaml names."""

    def __init__(self, source: str, place: Path, beside: Mapping[str, Document]) -> None:
        self._source, self._place, self._beside = source, place, beside

    def facts(self) -> ModelFacts | None:
        stated = self._beside["config.json"].content
        exported = self._beside["hf_quant_config.json"].content.get("quantization")
        return config.facts(stated, self._source, exported=exported) or self._of_gguf()

    def model(self) -> Model | None:
        return self._reading.model

    def flaw(self) -> Flaw | None:
        return self._reading.flaw

    def _of_gguf(self) -> ModelFacts | None:
        if self._place.suffix != ".gguf" and not any(self._place.glob("*.gguf")):
            return None
        model = self._reading.model
        read = config.facts(model.config, self._source, source=model.source) if model else None
        # Whether an engine loads GGUF is judged where llm.yaml says so.
        return replace(read, quantization=None) if read else None

    @cached_property
    def _reading(self) -> Reading:
        from llmdeploy.facts.weights import read

        return read(self._source, self._place)


class Kept:
    """A repository of the Hub, as far as this machine keeps it."""

    def __init__(self, places: Places, hub_id: str, revision: str | None) -> None:
        self._places, self._hub_id, self._revision = places, hub_id, revision

    def facts(self) -> ModelFacts | None:
        if self._repository is None:
            return None
        stated = self._repository.config
        exported = stated.get("hf_quant_config")
        source = f"config.json, from {self._repository.origin}"
        return config.facts(stated, self._hub_id, source=source, exported=exported)

    def model(self) -> Model | None:
        return self._model

    def flaw(self) -> Flaw | None:
        return None

    @cached_property
    def _repository(self) -> Repository | None:
        from llmdeploy.facts.hub_cache import find

        return find(self._places, self._hub_id, self._revision)

    @cached_property
    def _model(self) -> Model | None:
        from llmdeploy.facts.hub_cache import model

        return model(self._hub_id, self._repository) if self._repository else None

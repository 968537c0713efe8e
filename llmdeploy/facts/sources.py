"""The checkpoints that llm.yaml names, and where it does."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from llmdeploy import catalog
from llmdeploy.spec.model import Model, Source, Spec


class Named(Struct, frozen=True):
    """A source of weights: a local one has a `path`, all others a `hub_id` (None: an unknown OpenLLM tag).

    `below` is where it stands below its model; `variable` the environment variable with the token that fetches it.
    """

    below: tuple[str | int, ...]
    path: str | None = None
    hub_id: str | None = None
    revision: str | None = None
    variable: str | None = None

    @property
    def key(self) -> str:
        """How facts go by it: the path or Hub id as llm.yaml spells it, and behind an `@` the revision."""
        if self.path is not None:
            return self.path
        return f"{self.hub_id}@{self.revision}" if self.revision else self.hub_id or ""


def main_source(spec: Spec, model: Model) -> Named:
    return _named(("source",), model.source, model.revision, _variable(spec, model))


def sources(spec: Spec, model: Model) -> Iterator[Named]:
    """Yield the source of a model and that of its drafter. An adapter is no checkpoint."""
    yield main_source(spec, model)
    for below, source in model.further_sources():
        if below[0] == "speculative":
            yield _named(below, source, None, _variable(spec, model))


def _named(below: tuple[str | int, ...], source: Source, revision: str | None, variable: str | None) -> Named:
    if source.path is not None:
        return Named(below, path=source.path)
    if source.openllm is not None:
        bento = catalog.bento(source.openllm)
        return Named(below, hub_id=bento.hub_id, revision=bento.revision) if bento else Named(below)
    return Named(below, hub_id=source.hub, revision=revision, variable=variable)


def _variable(spec: Spec, model: Model) -> str | None:
    secret = spec.secrets.get(model.token) if model.token else None
    return secret.env if secret else None

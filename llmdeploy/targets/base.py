"""What a target is. It sees the plan and nothing else; it never learns which engine it spells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Protocol

from msgspec import Struct, field
from pydantic import BaseModel

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.emit import Artifact
from llmdeploy.plan.model import Plan


class Feature(StrEnum):
    """What a plan may need and not every target has."""

    LOCAL_MODEL = "a model from a directory of the host"
    MANY_NODES = "replicas on more than one node"
    BUILD = "an image that is built on the spot"
    GPU_SHARING = "models that share a card"


class Step(Struct, frozen=True):
    """A line of the commands that the output's README shows."""

    command: str
    comment: str = ""


class Guide(Struct, frozen=True):
    """What the output's README says of a target. Commands are run in the directory of that README.

    `base_url` is where the routes are reached; without a gateway, where the first engine is, at no prefix.
    """

    title: str
    base_url: str
    has_gateway: bool = True
    secrets: tuple[Step, ...] = ()
    apply: tuple[Step, ...] = ()
    undo: tuple[Step, ...] = ()
    remarks: tuple[str, ...] = field(default=())


class Target(Protocol):
    name: str
    features: frozenset[Feature]
    secret_kind: str
    """Which reference of a secret it reads: "env" or "kubernetes"."""

    options: type[BaseModel] | None
    """Model of its section under `targets`; None for a built-in one, whose section is part of the spec."""

    def check(self, plan: Plan) -> Iterator[Diagnostic]:
        """Yield what this target cannot express beyond its missing features, at the line that asked for it."""
        ...

    def emit(self, plan: Plan) -> Iterable[Artifact]:
        """Return every file of this target; all paths begin with `<name>/`. Pure: same plan, same bytes."""
        ...

    def guide(self, plan: Plan) -> Guide:
        """Say how a person applies, reaches and undoes what `emit` returned."""
        ...

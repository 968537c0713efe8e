"""What is known outside llm.yaml. Gathering it is the one impure phase; the result is a plain value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from llmdeploy.catalog import ModelFacts
from llmdeploy.facts.flaw import Flaw

if TYPE_CHECKING:
    from llmdeploy.memory.corrections import Correction
    from llmdeploy.memory.model import Model


class Fault(Struct, frozen=True):
    """What is wrong with a file beside llm.yaml, and where; `line` counts from 1."""

    file: str
    line: int
    message: str


class Facts(Struct, frozen=True):
    """`models` and `checkpoints` by `sources.Named.key`; `files` the texts of named files, None where one cannot be read.

    `checkpoints` have the whole config.json and the headers of the weights, which are read when one is first asked
    for; `flaws` say what is wrong with the weights of a source, by the same keys. `directories` tells of each local
    source whether it is there (`not_directories` are files), `ranks` of LoRA adapters among them their rank; `configs` have what the config.json of
    each states, as it stands there, and `faults` of each directory that is there which of its JSON files says nothing,
    and why (the end of a sentence). `corrections` are what `llmdeploy calibrate --save` kept, empty where that file
    has a `corrections_fault`. `spec_dir` is the way from the output root to the directory of llm.yaml, with `/`.
    """

    models: Mapping[str, ModelFacts] = field(default_factory=dict)
    checkpoints: Mapping[str, Model] = field(default_factory=dict)
    flaws: Mapping[str, Flaw] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    directories: Mapping[str, bool] = field(default_factory=dict)
    not_directories: frozenset[str] = frozenset()
    configs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    faults: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    corrections: tuple[Correction, ...] = ()
    corrections_fault: Fault | None = None
    spec_dir: str = ".."


__all__ = ["Facts", "Fault", "Flaw", "ModelFacts"]

"""What is known outside llm.yaml. Gathering it is the one impure phase; the result is a plain value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from llmdeploy.catalog import ModelFacts

if TYPE_CHECKING:
    from llmdeploy.memory.corrections import Correction


class Fault(Struct, frozen=True):
    """What is wrong with a file beside llm.yaml, and where; `line` counts from 1."""

    file: str
    line: int
    message: str


class Facts(Struct, frozen=True):
    """`models` by source as llm.yaml spells it; `files` the texts of named files, None where one cannot be read.

    `directories` tells of each local source whether it is there, `ranks` of LoRA adapters among them their rank.
    `corrections` are what `llmdeploy calibrate --save` kept, empty where that file has a `corrections_fault`.
    `spec_dir` is the way from the output root to the directory of llm.yaml, with `/`.
    """

    models: Mapping[str, ModelFacts] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    directories: Mapping[str, bool] = field(default_factory=dict)
    ranks: Mapping[str, int] = field(default_factory=dict)
    corrections: tuple[Correction, ...] = ()
    corrections_fault: Fault | None = None
    spec_dir: str = ".."


__all__ = ["Facts", "Fault", "ModelFacts"]

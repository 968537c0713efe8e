"""Finds out what stands beside llm.yaml: chat templates, the config.json of local models, adapters."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmdeploy.catalog import ModelFacts
from llmdeploy.facts import Facts, Fault, config
from llmdeploy.spec.model import Spec

if TYPE_CHECKING:
    from llmdeploy.memory.corrections import Correction

CALIBRATION = "llmdeploy.calibration.yaml"
"""Written beside llm.yaml by `llmdeploy calibrate --save`, to be reviewed and committed with it."""


def gather(spec: Spec, directory: Path, output: Path, *, calibrated: bool = True) -> Facts:
    """Read what `spec` names. `directory` holds llm.yaml, `output` will hold the artifacts. Never raises.

    Without `calibrated`, what start-up logs have corrected is left aside.
    """
    templates = {m.chat_template for m in spec.models.values() if m.chat_template}
    sources = [
        source for m in spec.models.values() for source in (m.source, *(s for _, s in m.further_sources()))
    ]
    paths = {source.path for source in sources if source.path}
    # `~` belongs to the machine where the artifacts run, so nothing is said of such a directory here.
    local = {path: directory / path for path in paths if not path.startswith("~")}
    models = {path: _model(path, place) for path, place in local.items()}
    corrections, fault = _corrections(directory / CALIBRATION) if calibrated else ((), None)
    return Facts(
        models={path: facts for path, facts in models.items() if facts is not None},
        files={name: _text(directory / name) for name in templates},
        directories={path: place.is_dir() for path, place in local.items()},
        ranks={path: rank for path, place in local.items() if (rank := _rank(place)) is not None},
        corrections=corrections,
        corrections_fault=fault,
        spec_dir=Path(os.path.relpath(directory.resolve(), output.resolve())).as_posix(),
    )


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError):
        return None


def _corrections(file: Path) -> tuple[tuple[Correction, ...], Fault | None]:
    if not os.path.lexists(file):
        return (), None
    text = _text(file)
    if text is None:
        return (), Fault(file.name, 1, "it cannot be read, or is not UTF-8 text")
    from llmdeploy.facts import calibration

    return calibration.parse(text, file.name)


def _model(name: str, directory: Path) -> ModelFacts | None:
    stated = _mapping(directory / "config.json")
    exported = _mapping(directory / "hf_quant_config.json").get("quantization")
    return config.facts(stated, name, exported=exported)


def _rank(place: Path) -> int | None:
    rank = _mapping(place / "adapter_config.json").get("r")
    return rank if type(rank) is int else None


def _mapping(path: Path) -> dict[str, Any]:
    try:
        content: Any = json.loads(_text(path) or "null")
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}

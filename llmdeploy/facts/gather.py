"""Finds out what stands beside llm.yaml: chat templates, the config.json of local models, adapters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from llmdeploy.catalog import ModelFacts
from llmdeploy.facts import Facts, config
from llmdeploy.facts.documents import ABSENT, Document, document
from llmdeploy.spec.model import Spec

_FILES = ("config.json", "hf_quant_config.json", "adapter_config.json")


def gather(spec: Spec, directory: Path, output: Path) -> Facts:
    """Read what `spec` names. `directory` holds llm.yaml, `output` will hold the artifacts. Never raises."""
    templates = {m.chat_template for m in spec.models.values() if m.chat_template}
    sources = [
        source for m in spec.models.values() for source in (m.source, *(s for _, s in m.further_sources()))
    ]
    paths = {source.path for source in sources if source.path}
    # `~` belongs to the machine where the artifacts run, so nothing is said of such a directory here.
    local = {path: directory / path for path in paths if not path.startswith("~")}
    beside = {path: {name: document(place / name) for name in _FILES} for path, place in local.items()}
    models = {path: _model(path, documents) for path, documents in beside.items()}
    return Facts(
        models={path: facts for path, facts in models.items() if facts is not None},
        files={name: _text(directory / name) for name in templates},
        directories={path: place.is_dir() for path, place in local.items()},
        configs={path: read["config.json"].content for path, read in beside.items()},
        faults={path: _faults(place, beside[path]) for path, place in local.items() if place.is_dir()},
        ranks={path: rank for path, read in beside.items() if (rank := _rank(read)) is not None},
        spec_dir=Path(os.path.relpath(directory.resolve(), output.resolve())).as_posix(),
    )


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError):
        return None


def _model(name: str, beside: Mapping[str, Document]) -> ModelFacts | None:
    exported = beside["hf_quant_config.json"].content.get("quantization")
    return config.facts(beside["config.json"].content, name, exported=exported)


def _rank(beside: Mapping[str, Document]) -> int | None:
    rank = beside["adapter_config.json"].content.get("r")
    return rank if type(rank) is int else None


def _faults(place: Path, beside: Mapping[str, Document]) -> Mapping[str, str]:
    """A GGUF file carries its configuration itself, and few checkpoints have a file of ModelOpt's."""
    optional = _FILES if any(place.glob("*.gguf")) else ("hf_quant_config.json",)
    faults = {name: read.fault for name, read in beside.items() if read.fault is not None}
    return {name: fault for name, fault in faults.items() if fault != ABSENT or name not in optional}

"""Finds out what stands beside llm.yaml: chat templates, adapters, and what is known of the checkpoints."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from llmdeploy.facts import Facts, Fault
from llmdeploy.facts.documents import ABSENT, Document, document, text
from llmdeploy.facts.flaw import Flaw
from llmdeploy.facts.lazy import Lazy
from llmdeploy.facts.places import Places
from llmdeploy.facts.readers import Kept, Local, Reader
from llmdeploy.facts.sources import Named, sources
from llmdeploy.spec.model import Spec

if TYPE_CHECKING:
    from llmdeploy.facts.hub import Hub
    from llmdeploy.memory.corrections import Correction

CALIBRATION = "llmdeploy.calibration.yaml"
"""Written beside llm.yaml by `llmdeploy calibrate --save`, to be reviewed and committed with it."""

_FILES = ("config.json", "hf_quant_config.json", "adapter_config.json")


def gather(
    spec: Spec,
    directory: Path,
    output: Path,
    places: Places | None = None,
    hub: Hub | None = None,
    *,
    calibrated: bool = True,
) -> Facts:
    """Read what `spec` names. `directory` holds llm.yaml, `output` will hold the artifacts. Never raises.

    `places` keep what is known of Hub repositories (None: nothing is); `hub` asks the Hub itself, and keeps it there.
    Without `calibrated`, what start-up logs have corrected is left aside.
    """
    templates = {m.chat_template for m in spec.models.values() if m.chat_template}
    every = [s for m in spec.models.values() for s in (m.source, *(s for _, s in m.further_sources()))]
    # `~` belongs to the machine where the artifacts run, so nothing is said of such a directory here.
    local = {s.path: directory / s.path for s in every if s.path and not s.path.startswith("~")}
    beside = {path: {name: document(place / name) for name in _FILES} for path, place in local.items()}
    named = {named.key: named for m in spec.models.values() for named in sources(spec, m)}
    refused = hub.ask(named.values()) if hub else {}
    readers = dict(_readers(named.values(), local, beside, places))
    models = {key: facts for key, reader in readers.items() if (facts := reader.facts()) is not None}
    corrections, fault = _corrections(directory / CALIBRATION) if calibrated else ((), None)
    return Facts(
        models=models,
        checkpoints=Lazy({key: reader.model for key, reader in readers.items()}),
        flaws=Lazy(_flaws(readers, refused)),
        files={name: text(directory / name) for name in templates},
        directories={path: place.is_dir() for path, place in local.items()},
        not_directories=frozenset(path for path, place in local.items() if place.is_file()),
        configs={path: read["config.json"].content for path, read in beside.items()},
        faults={path: _faults(place, beside[path]) for path, place in local.items() if place.is_dir()},
        ranks={path: rank for path, read in beside.items() if (rank := _rank(read)) is not None},
        corrections=corrections,
        corrections_fault=fault,
        spec_dir=Path(os.path.relpath(directory.resolve(), output.resolve())).as_posix(),
    )


def _readers(
    named: Iterable[Named],
    local: Mapping[str, Path],
    beside: Mapping[str, Mapping[str, Document]],
    places: Places | None,
) -> Iterable[tuple[str, Reader]]:
    for each in named:
        if each.path is not None and each.path in local:
            yield each.key, Local(each.key, local[each.path], beside[each.path])
        elif each.hub_id and places is not None and places.known(each.hub_id):
            yield each.key, Kept(places, each.hub_id, each.revision)


def _corrections(file: Path) -> tuple[tuple[Correction, ...], Fault | None]:
    if not os.path.lexists(file):
        return (), None
    content = text(file)
    if content is None:
        return (), Fault(file.name, 1, "it cannot be read, or is not UTF-8 text")
    from llmdeploy.facts import calibration

    return calibration.parse(content, file.name)


def _flaws(
    readers: Mapping[str, Reader], refused: Mapping[str, Flaw]
) -> dict[str, Callable[[], Flaw | None]]:
    """What the Hub refused is known already; what is wrong with files, when they are read."""
    return {key: reader.flaw for key, reader in readers.items()} | {
        key: partial(_same, flaw) for key, flaw in refused.items()
    }


def _same(flaw: Flaw) -> Flaw:
    return flaw


def _rank(beside: Mapping[str, Document]) -> int | None:
    rank = beside["adapter_config.json"].content.get("r")
    return rank if type(rank) is int else None


def _faults(place: Path, beside: Mapping[str, Document]) -> Mapping[str, str]:
    """A GGUF file carries its configuration itself, and few checkpoints have a file of ModelOpt's."""
    optional = _FILES if any(place.glob("*.gguf")) else ("hf_quant_config.json",)
    faults = {name: read.fault for name, read in beside.items() if read.fault is not None}
    return {name: fault for name, fault in faults.items() if fault != ABSENT or name not in optional}

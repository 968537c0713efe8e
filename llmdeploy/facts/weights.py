"""What a local directory, or a GGUF file, says of the checkpoint that it holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from llmdeploy.facts import gguf, gguf_config, safetensors
from llmdeploy.facts.documents import document
from llmdeploy.facts.flaw import Damaged, Flaw
from llmdeploy.memory.model import Model, Tensor

_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")


class Reading(Struct, frozen=True):
    """`model` is what could be read, also where a `flaw` is why it is not all."""

    model: Model | None = None
    flaw: Flaw | None = None


def read(source: str, place: Path) -> Reading:
    """Read config.json and headers below `place`, which llm.yaml calls `source`. Never raises."""
    if place.suffix == ".gguf" and place.is_file():
        return _of_gguf(source, place.parent, [place.name], {})
    config = stated(place)
    try:
        tensors = safetensors.read(place)
    except Damaged as damage:
        return Reading(_model(source, config, None), _flaw(source, damage))
    files = [] if tensors else _gguf_files(place)
    if files:
        return _of_gguf(source, place, files, config)
    return Reading(_model(source, config, tensors), None if tensors else _absent(source, place, config))


def stated(directory: Path) -> dict[str, Any]:
    """Return config.json; ModelOpt's own file, where it is another, stands in it as `hf_quant_config`."""
    config = document(directory / "config.json").content
    exported = document(directory / "hf_quant_config.json").content.get("quantization")
    return {**config, "hf_quant_config": exported} if config and isinstance(exported, dict) else dict(config)


def _model(source: str, config: Mapping[str, Any], tensors: Mapping[str, Tensor] | None) -> Model | None:
    if not config and not tensors:
        return None
    parts = [*(["config.json"] if config else []), *(["the headers of its weights"] if tensors else [])]
    return Model(source, f"{' and '.join(parts)} in `{source}`", config, tensors or None)


def _of_gguf(source: str, directory: Path, files: list[str], config: Mapping[str, Any]) -> Reading:
    try:
        names = _parts(directory, files)
        headers = [gguf.header(directory / name) for name in names or ()]
    except Damaged as damage:
        return Reading(_model(source, config, None), _flaw(source, damage))
    if names is None:
        return Reading(
            _model(source, config, None),
            Flaw(
                "LD356",
                f"`{source}` holds {len(files)} GGUF files, `{files[0]}` and `{files[1]}` among them, and one is served",
                "keep the one that is meant in a directory of its own",
            ),
        )
    whole = gguf.Header(headers[0].metadata, {k: v for each in headers for k, v in each.tensors.items()})
    facts = {**gguf_config.config(whole), **config}
    return Reading(Model(source, f"the header of `{names[0]}` in `{source}`", facts, whole.tensors))


def _gguf_files(directory: Path) -> list[str]:
    """Return the GGUF files of a directory, but for projectors of images (llama.cpp's `mmproj-…`)."""
    try:
        return sorted(path.name for path in directory.glob("*.gguf") if not path.name.startswith("mmproj"))
    except (OSError, ValueError):
        return []


def _parts(directory: Path, files: list[str]) -> list[str] | None:
    """Return the files of the one model, in order; llama.cpp splits large ones. None where there are several models."""
    part = _PART.fullmatch(files[0])
    if part is None:
        return files if len(files) == 1 else None
    count = int(part["count"])
    wanted: list[str] = []
    for number in range(1, count + 1):
        name = f"{part['stem']}-{number:05}-of-{count:05}.gguf"
        if not (directory / name).is_file():
            raise Damaged(f"`{name}` is missing beside `{files[0]}`", "complete the download")
        wanted.append(name)
    return None if set(files) - set(wanted) else wanted


def _flaw(source: str, damage: Damaged) -> Flaw:
    message = f"what `{source}` holds on this machine, no engine can load: {damage.message}"
    return Flaw("LD355", message, damage.help)


_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")
"""What engines look for where they are told no format (vLLM 0.33, model_loader/default_loader.py, _prepare_weights)."""


def _absent(source: str, place: Path, config: Mapping[str, Any]) -> Flaw | None:
    """Return that a directory has no weights, not even such as are not read here; of one without config.json, more is said."""
    try:
        names = [entry.name for entry in place.iterdir()]
    except (OSError, ValueError):
        return None
    if not config or any(n.endswith(_WEIGHTS) and not n.startswith("adapter_") for n in names):
        return None
    message = f"`{source}` has a config.json and no weights: no engine starts with what is on this machine"
    return Flaw(
        "LD545", message, "complete the download; see that they are there where the artifacts will run"
    )

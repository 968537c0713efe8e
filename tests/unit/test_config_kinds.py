"""A config.json may have a value of any kind under any key: what engines refuse is said of that key, and nothing is
computed from it."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from llmdeploy.catalog import configs
from llmdeploy.catalog.rows import rows
from llmdeploy.compiler import compile
from llmdeploy.diagnostics.render import render
from llmdeploy.facts.gather import gather
from llmdeploy.facts.kinds import misstated
from llmdeploy.memory.architecture import shape
from llmdeploy.memory.config import Config
from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.scheme import scheme
from llmdeploy.plan.document import document

SHAPES = {
    "grouped": "Qwen/Qwen3-8B",
    "experts": "Qwen/Qwen3-30B-A3B",
    "latent": "deepseek-ai/DeepSeek-V3.2",
    "windows": "google/gemma-3-27b-it",
    "hybrid": "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4",
    "sees": "Qwen/Qwen3-VL-8B-Instruct",
}
VALUES = ("x", [1], {"a": 1}, None, -1, 0, 0.5, 1e30, True)
ROPE = {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0, "original_max_position_embeddings": 8192}
SPEC = """version: 1
name: demo
gpus:
  gpu: {type: h200, count: 8}
models:
  chat:
    source: ./m
    gpus: {pool: gpu, count: 8}
routes:
  - {path: /chat, model: chat}
targets: {docker: {}}
"""
UNREAD = {"fmt", "scale_fmt", "hidden_act", "in_channels", "initializer_range", "out_hidden_size"}
"""What some of them state and no ledger asks for."""
FIGURES = {
    "weights_gib",
    "activation_gib",
    "usable_gib",
    "kv_tokens",
    "bytes_per_token",
    "requests_at_context",
}


def stated(hub_id: str) -> dict[str, Any]:
    """A config.json of the catalog, with what many files have beside it."""
    found = configs.config(hub_id)
    assert found is not None
    config: dict[str, Any] = copy.deepcopy(dict(found.config))
    config.pop("hf_quant_config", None)  # a file of its own
    return {"torch_dtype": "bfloat16", "rope_scaling": dict(ROPE), **config}


def every() -> Iterator[Mapping[str, Any]]:
    for row in rows("configs"):
        found = configs.config(row["id"])
        assert found is not None
        yield found.config


def keys(config: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in config.items():
        yield (*path, key), value
        if isinstance(value, dict) and key in ("rope_scaling", "vision_config", "quantization_config"):
            yield from keys(value, (*path, key))


def changed(config: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    copied = copy.deepcopy(config)
    inner = copied
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copied


def is_other(value: Any, usual: Any) -> bool:
    """Whether no engine reads one where the other is usual. A list may be one number for each layer."""
    if value is None:
        return False
    if isinstance(usual, bool) or not isinstance(usual, int | float):
        return type(value) is not type(usual)
    if isinstance(value, list | int) and not isinstance(value, bool):
        return isinstance(value, int) and value < 0
    return type(value) is not type(usual)


def figures(item: Any, name: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(item, dict):
        for key, inner in item.items():
            yield from figures(inner, key)
    elif isinstance(item, list):
        for inner in item:
            yield from figures(inner, name)
    elif isinstance(item, int | float):
        yield name, item


def compiled(config: Mapping[str, Any], directory: Path) -> Any:
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    parent = directory.parent
    return compile(SPEC, ["docker"], facts=lambda spec: gather(spec, parent, parent / "out"), emit=False)


@pytest.mark.parametrize("kind", SHAPES)
def test_a_value_of_another_kind_is_said_of_its_key_and_nothing_is_computed_from_it(
    kind: str, tmp_path: Path
) -> None:
    directory = tmp_path / "m"
    directory.mkdir()
    (directory / "pytorch_model.bin").touch()
    usual = stated(SHAPES[kind])
    assert compiled(usual, directory).ok
    for path, value in keys(usual):
        for other in VALUES:
            result = compiled(changed(usual, path, other), directory)
            render(result.diagnostics, result.source)
            for name, figure in figures(document(result.plan) if result.plan else {}):
                assert math.isfinite(figure), (path, other, name)
                assert figure >= 0 or name not in FIGURES, (path, other, name)
            if is_other(other, value) and path[-1] not in UNREAD:
                said = [d.message for d in result.diagnostics if d.path == ("models", "chat", "source")]
                keys_said = (f"`{'.'.join(path)}: ", f"`{path[-1]}: ")
                assert any(key in message for message in said for key in keys_said), (path, other, said)


def test_every_key_that_a_ledger_reads_has_a_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[str] = set()
    get = Config.get

    def recorded(self: Config, *keys: str) -> Any:
        read.update(keys)
        return get(self, *keys)

    monkeypatch.setattr(Config, "get", recorded)
    for found in every():
        with suppress(UnmodelledError):
            shape(found)
            scheme(found)
    own = {key for key in read if list(misstated({key: object()}))}
    seen = {key for key in read if list(misstated({"vision_config": {key: object()}}))}
    assert read - own - seen == {"hf_quant_config"}  # ModelOpt's own file, which is read beside


def test_a_config_of_the_catalog_has_values_of_the_kinds_that_engines_read() -> None:
    assert [found for config in every() for found in misstated(config)] == []

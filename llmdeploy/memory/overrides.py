"""A config.json as a user changes it on the engine's command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from llmdeploy.memory.model import Model

FLAGS = ("hf-overrides", "json-model-override-args")
"""vLLM's and SGLang's."""


def stated(engine_args: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return what `engine_args` change of config.json: as a mapping, as JSON, or each value behind a dot."""
    found: dict[str, Any] = {}
    for key, value in (engine_args or {}).items():
        flag, _, field = key.lstrip("-").partition(".")
        if flag.replace("_", "-") not in FLAGS:
            continue
        for part in reversed(field.replace("-", "_").split(".") if field else ()):
            value = {part: value}
        found |= _mapping(value)
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}


def overridden(model: Model, changes: Mapping[str, Any]) -> Model:
    """Return a model whose config.json has these values."""
    return replace(model, config=_merged(model.config, changes)) if changes else model


def note(changes: Mapping[str, Any]) -> tuple[str, ...]:
    """Say what is not as the checkpoint has it, for the reader of a ledger."""
    return (f"config.json is taken as `engine_args` change it: {', '.join(changes)}",) if changes else ()


def _merged(config: Mapping[str, Any], changes: Mapping[str, Any], inside: bool = False) -> Mapping[str, Any]:
    """Set each value; of a part that is a configuration of its own, set its values one by one.

    Source: vLLM 0.33, config/model.py (_apply_dict_overrides, _update_nested): of the whole, what is a dict and no
    configuration, like `rope_scaling`, is replaced. SGLang 0.5.23, srt/utils/hf_transformers/config.py, does the same, but keeps
    what a new `rope_scaling` does not say.
    """
    found = dict(config)
    for key, value in changes.items():
        part = found.get(key)
        if isinstance(part, Mapping) and isinstance(value, Mapping) and (inside or _is_config(key)):
            value = _merged(part, value, inside=True)
        found[key] = value
    return found


def _is_config(key: str) -> bool:
    return key.endswith("_config") and key != "quantization_config"

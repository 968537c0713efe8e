"""A config.json as a user changes it on the engine's command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from llmdeploy.memory.model import Model


def overridden(model: Model, stated: Any) -> Model:
    """Return a model whose config.json has these values; itself where none are stated."""
    if not isinstance(stated, Mapping) or not stated:
        return model
    return replace(model, config=_merged(model.config, stated))


def _merged(config: Mapping[str, Any], stated: Mapping[str, Any], inside: bool = False) -> Mapping[str, Any]:
    """Set each value; of a part that is a configuration of its own, set its values one by one.

    Source: vLLM 0.33, config/model.py (_apply_dict_overrides, _update_nested): of the whole, what is a dict and no
    configuration, like `rope_scaling`, is replaced.
    """
    found = dict(config)
    for key, value in stated.items():
        part = found.get(key)
        if isinstance(part, Mapping) and isinstance(value, Mapping) and (inside or _is_config(key)):
            value = _merged(part, value, inside=True)
        found[key] = value
    return found


def _is_config(key: str) -> bool:
    return key.endswith("_config") and key != "quantization_config"

"""Puts together what several sources say of one checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from llmdeploy.memory.model import Model

_OF_THE_WHOLE = ("architectures", "vision_config", "quantization_config")
"""Keys that a multi-modal config.json has beside its `text_config`, not in it."""


def completed(
    id: str, read: Model | None, stated: Mapping[str, Any], known: Model | None = None
) -> Model | None:
    """Return what is known of a checkpoint, or None.

    What was `read` of its own files is believed, and `stated` (llm.yaml's `architecture`, in config.json's words)
    fills its gaps; over what is `known` from a catalog, llm.yaml wins.
    """
    if read is not None:
        return _merged(read, stated, believed=True)
    if known is not None:
        return _merged(known, stated, believed=False)
    return Model(id, "`architecture` in llm.yaml", dict(stated), stated=("*",)) if stated else None


def _merged(model: Model, stated: Mapping[str, Any], *, believed: bool) -> Model:
    """`believed`: the model's own files; only what they leave out is then taken from llm.yaml."""
    config = dict(model.config)
    nested = config.get("text_config")
    text = dict(nested) if isinstance(nested, Mapping) else None
    used = []
    for key, value in flat(stated):
        target = config if text is None or key in _OF_THE_WHOLE or key in config else text
        known, here = target.get(key), value
        if key == "vision_config" and isinstance(known, Mapping) and isinstance(value, Mapping):
            here = {**value, **known} if believed else {**known, **value}
        elif key in target and believed:
            continue
        if key not in target or here != known:
            target[key] = here
            used.append(key)
    if not used:
        return model
    if text is not None:
        config["text_config"] = text
    source = f"{model.source}; `architecture` in llm.yaml"
    return replace(model, source=source, config=config, stated=tuple(used))


def flat(stated: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Return the keys, and those of a `text_config`, which know better."""
    nested = stated.get("text_config")
    if not isinstance(nested, Mapping):
        return list(stated.items())
    return list({**{key: value for key, value in stated.items() if key != "text_config"}, **nested}.items())

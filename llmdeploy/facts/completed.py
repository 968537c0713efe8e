"""Puts together what several sources say of one checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
    return Model(id, "`architecture` in llm.yaml", dict(stated)) if stated else None


def _merged(model: Model, stated: Mapping[str, Any], *, believed: bool) -> Model:
    config = dict(model.config)
    nested = config.get("text_config")
    text = dict(nested) if isinstance(nested, Mapping) else None
    used = False
    for key, value in stated.items():
        target = config if text is None or key in _OF_THE_WHOLE or key in config else text
        if key not in target or not believed:
            target[key] = value
            used = True
    if not used:
        return model
    if text is not None:
        config["text_config"] = text
    return Model(model.id, f"{model.source}; `architecture` in llm.yaml", config, model.tensors)

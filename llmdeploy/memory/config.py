"""A config.json, read without trust: the part of the language model, and its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmdeploy.memory.errors import UnmodelledError

_MOST = 1 << 30
"""No model has more of anything that a config.json counts."""
_TEXT = ("text_config", "llm_config", "language_config", "thinker_config")

_WINDOWS = dict.fromkeys(("cohere2", "gemma2", "gemma3_text", "mistral", "olmo3"), 4096)
"""By `model_type`, the window of a config.json that does not state one: what is as its class has it, transformers leaves
out when it saves. Source: transformers 5.19, models/*/configuration_*.py; seen on an H200 with `mistral` (docs/gpu.md)."""


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, and nothing else."""
    return value if isinstance(value, Mapping) else {}


class Config:
    """The language model's keys before those of the whole."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.whole = config
        self.text: Mapping[str, Any] = config
        while (name := next((n for n in _TEXT if isinstance(self.text.get(n), Mapping)), None)) is not None:
            self.text = self.text[name]

    def get(self, *keys: str) -> Any:
        """Return the first of the keys that is stated and not null."""
        for source in (self.text, self.whole):
            for key in keys:
                if source.get(key) is not None:
                    return source[key]
        return None

    def number(self, *keys: str, default: int | None = None) -> int:
        """Return a whole number; one that is needed and not stated stops the ledger."""
        value = self.get(*keys)
        if value is None and default is not None:
            return default
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _MOST
        if good and value == int(value) and (value >= 1 or default is not None):
            return int(value)
        if value is None:
            raise UnmodelledError("config", f"config.json does not state `{keys[0]}`")
        key = next(each for each in keys if self.get(each) is value)
        raise UnmodelledError("config", f"`{key}` of config.json is no size: {str(value)[:40]!r}")

    def real(self, *keys: str, default: float) -> float:
        value = self.get(*keys)
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < _MOST
        return float(value) if good else default

    def flag(self, *keys: str, default: bool = False) -> bool:
        value = self.get(*keys)
        return value if isinstance(value, bool) else default

    def mapping(self, *keys: str) -> Mapping[str, Any]:
        return mapping(self.get(*keys))

    def sequence(self, *keys: str) -> list[Any]:
        value = self.get(*keys)
        return list(value) if isinstance(value, (list, tuple)) else []

    @property
    def window(self) -> int:
        """Tokens that a layer with a window sees; 0 where there is none. null says that there is none."""
        stated = any("sliding_window" in source for source in (self.text, self.whole))
        kind = str(self.text.get("model_type") or self.whole.get("model_type"))
        default = 0 if stated else _WINDOWS.get(kind, 0)
        return self.number("sliding_window", "attention_chunk_size", default=default)

    @property
    def architectures(self) -> tuple[str, ...]:
        stated = self.whole.get("architectures") or self.text.get("architectures")
        if stated and isinstance(stated, (list, tuple)):
            return tuple(str(name) for name in stated)
        from llmdeploy.memory.model_types import ARCHITECTURES

        derived = ARCHITECTURES.get(str(self.whole.get("model_type") or self.text.get("model_type")))
        return (derived,) if derived else ()

    @property
    def dtype(self) -> str:
        stated = self.get("dtype", "torch_dtype")
        return stated if isinstance(stated, str) else "bfloat16"

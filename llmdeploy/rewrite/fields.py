"""A flag that is a field of llm.yaml: which one, and its value in neutral words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmdeploy.catalog import methods
from llmdeploy.engines.table import Setting, Table, field_of
from llmdeploy.rewrite.convert import NoCounterpart, plain, text_of

# What a switch says by being there, and what stands in llm.yaml where it is not.
_SWITCHES: Mapping[str, tuple[Any, Any]] = {
    "prefix_caching": (False, True),
    "structured_output": (False, True),
    "trust_remote_code": (True, False),
    "expert": (True, False),
    "embed": ("embed", "generate"),
}
_WHOLE_NUMBERS = frozenset({"tensor", "pipeline", "data", "context", "concurrency", "batch_tokens"})
# vllm/config/speculative.py calls a smaller model `draft_model`.
_METHODS = {"draft_model": "draft"}


def path_of(setting: Setting) -> tuple[str, ...]:
    """Return where a model states it."""
    return tuple(field_of(setting.name).split("."))


def neutral(value: Any, setting: Setting, table: Table) -> Any:
    """Return the value of a field for the value of its flag in the engine of `table`. Raises NoCounterpart."""
    name, value = setting.name, plain(value)
    if name in _SWITCHES:
        given = text_of(value) in (setting.set, "true")
        return _SWITCHES[name][0 if given else 1]
    if name == "speculative":
        return _speculative(value)
    if name == "adapters":
        raise NoCounterpart("write `adapters: {NAME: {source: …, rank: …}}`: its source is not in the flag")
    if name == "quantization":
        return _quantization(text_of(value), table)
    if name == "multimodal":
        return _items(value)
    if name in _WHOLE_NUMBERS and not _is_count(value):
        raise NoCounterpart(f"`{field_of(name)}` is a whole number")
    if setting.kind == "list":
        return value if isinstance(value, list) else [text_of(value)]
    return _word(value, setting) if setting.values else value


def _word(value: Any, setting: Setting) -> str:
    for neutral, word in setting.values.items():
        words = [word] if isinstance(word, str) else list(word.values())
        if text_of(value) in words:
            return neutral
    raise NoCounterpart(f"`{field_of(setting.name)}` has no word for `{text_of(value)}`")


def _quantization(flag: str, table: Table) -> str:
    for method in methods(table.name, table.versions[0]):
        if method.flag == flag and method.words:
            return method.words[0]
    raise NoCounterpart(f"`quantization` has no word for `{flag}`")


def _speculative(value: Any) -> dict[str, Any]:
    if _is_count(value):
        return {"method": "ngram", "tokens": value}
    if isinstance(value, Mapping) and "num_speculative_tokens" in value:
        method = _METHODS.get(str(value.get("method")), value.get("method"))
        model = {"model": value["model"]} if "model" in value else {}
        return {"method": method, "tokens": value["num_speculative_tokens"], **model}
    raise NoCounterpart("write `speculative: {method: …, tokens: …}`")


def _items(value: Any) -> Any:
    if isinstance(value, Mapping) and all(map(_is_count, value.values())):
        return dict(value)
    raise NoCounterpart("write `multimodal: {image: …, video: …, audio: …}`, numbers alone")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)

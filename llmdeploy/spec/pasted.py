"""What stands under `architecture` beside its fields: a config.json may be copied there as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdeploy.diagnostics import Diagnostic, Path
from llmdeploy.diagnostics.model import Place
from llmdeploy.diagnostics.suggest import closest, question
from llmdeploy.spec.architecture import Architecture, QuantizationConfig
from llmdeploy.spec.config_keys import FIELDS, LANGUAGE, MOST, QUANTIZATION, TOWER, WORDS, Kind, fits, schema
from llmdeploy.spec.unread import UNREAD, UNREAD_OF_QUANTIZATION
from llmdeploy.spec.words import describe, subject

_PARTS: Mapping[str, tuple[Mapping[str, Kind], frozenset[str], frozenset[str]]] = {
    "": (LANGUAGE, frozenset(Architecture.model_fields), UNREAD),
    "text_config": ({**LANGUAGE, **FIELDS}, frozenset(), UNREAD),
    # A tower is described in the words of a language model, too, and few of them matter.
    "vision_config": (TOWER, frozenset(), UNREAD | LANGUAGE.keys() | FIELDS.keys()),
    "quantization_config": (QUANTIZATION, frozenset(QuantizationConfig.model_fields), UNREAD_OF_QUANTIZATION),
}
"""Of each part: the keys that are read, those that pydantic judges, and those that may stand there for nothing."""
_SHOWN = 6


def judge(architecture: Mapping[str, Any], path: Path) -> Iterator[Diagnostic]:
    """Yield what is wrong with keys that are no fields, and one note of all that nothing rests on."""
    idle: list[str] = []
    for part in _PARTS:
        stated = architecture.get(part) if part else architecture
        if isinstance(stated, Mapping):
            yield from _part(stated, part, (*path, part) if part else path, idle)
    if idle:
        yield _idle(idle, path)


def schema_of(part: str) -> dict[str, Any]:
    """Return what a JSON Schema says of the keys of a part that are no fields."""
    kinds, _, unread = _PARTS[part]
    return schema(kinds, unread - kinds.keys())


def _part(stated: Mapping[str, Any], part: str, path: Path, idle: list[str]) -> Iterator[Diagnostic]:
    kinds, fields, unread = _PARTS[part]
    for key, value in stated.items():
        if key in fields:
            continue
        kind = kinds.get(key)
        if kind is not None:
            yield from _wrong(value, kind, (*path, key))
        elif key in unread:
            idle.append(f"{part}.{key}" if part else key)
        else:
            text = f"unknown key `{key}` in `{subject(path)}`"
            yield Diagnostic("LD101", text, (*path, key), _advice(str(key), part), place=Place.KEY)


def _wrong(value: Any, kind: Kind, path: Path) -> Iterator[Diagnostic]:
    if not fits(value, kind):
        text = f"`{subject(path)}` takes {WORDS[kind]}, not {describe(value)}"
        yield Diagnostic("LD103", text, path, "copy it from config.json as it is")
    elif kind == "size" and value is not None and not 0 <= value <= MOST:
        text = f"`{subject(path)}` must be from 0 to {MOST:,}, not {describe(value)}"
        yield Diagnostic("LD104", text, path, "copy it from config.json as it is")


def _advice(key: str, part: str) -> str:
    kinds, fields, _ = _PARTS[part]
    for other in ("vision_config", "quantization_config"):
        inside, own, _ = _PARTS[other]
        if not part and (key in inside or key in own):
            return f"`{key}` belongs under `{other}`"
    meant = closest(key, [*fields, *kinds], 0.75)
    if meant is not None:
        return question(meant)
    return "remove it: no figure and no check rests on it"


def _idle(keys: list[str], path: Path) -> Diagnostic:
    shown = ", ".join(f"`{key}`" for key in keys[:_SHOWN])
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    text = f"nothing that is computed or checked here rests on {shown}{more}"
    return Diagnostic("LD555", text, path, "they may stay, where `architecture` is a copy of config.json")

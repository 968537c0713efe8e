"""What a class cannot be weighed without. Left out, it would be taken for another model: experts for an MLP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdeploy.memory.config import Config, mapping
from llmdeploy.memory.contradictions import HEADS, HIDDEN
from llmdeploy.memory.contradictions import LAYERS as LAYERS_OF_ALL
from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.families import FAMILIES, Family
from llmdeploy.memory.vision import LAYERS, SIZES

_ALWAYS = (LAYERS_OF_ALL, HIDDEN, HEADS, ("vocab_size",))
_EXPERTS = (("n_routed_experts", "num_experts", "num_local_experts"), ("num_experts_per_tok",))


def lacking(stated: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return the class of a config.json, and the keys that it lacks; none where it is no more than a few facts."""
    config = Config(stated)
    named = next((name for name in config.architectures if name in FAMILIES), None)
    if named is None or not all(_states(config, *names) for names in _ALWAYS):
        return "", ()
    try:
        missing = tuple(_missing(config, FAMILIES[named]))
    except UnmodelledError:  # a value that is no size: another finding
        return "", ()
    if FAMILIES[named].latent and config.get("kv_lora_rank") is None:
        missing = (*missing, "kv_lora_rank")
    return named, missing


def needed(config: Config, family: Family) -> None:
    """Stop where a key is not stated. null is a statement: it says that there is none."""
    if missing := tuple(_missing(config, family)):
        named = ", ".join(f"`{key}`" for key in missing)
        raise UnmodelledError("config", f"config.json does not state {named}, which {family.name} is made of")


def _missing(config: Config, family: Family) -> Iterator[str]:
    for names in family.needs:
        if not _states(config, *names) and not (names == ("sliding_window",) and config.window):
            yield names[0]
    if family.blocks and "E" in str(config.get("hybrid_override_pattern")):
        yield from (names[0] for names in _EXPERTS if not _states(config, *names))
    if family.sees and _scheme(config) != "gguf":  # which keeps the tower in a file of its own
        seen = mapping(config.whole.get("vision_config") or config.get("vision_config"))
        tower = Config(seen)
        for names in (SIZES, LAYERS):
            if not tower.number(*names, default=0):
                yield f"vision_config.{names[0]}" if seen else "vision_config"
                if not seen:
                    return


def _states(config: Config, *keys: str) -> bool:
    return any(key in source for source in (config.text, config.whole) for key in keys)


def _scheme(config: Config) -> str:
    return str(config.mapping("quantization_config").get("quant_method"))

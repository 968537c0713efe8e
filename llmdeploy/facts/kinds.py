"""Values of a config.json that are of another kind than every engine expects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from llmdeploy.facts.config import EXPERTS, EXPERTS_PER_TOKEN

_POSITIVE = (
    *("num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim"),
    *("vocab_size", "max_position_embeddings"),
)
_WHOLE = (
    *("intermediate_size", "moe_intermediate_size", "shared_expert_intermediate_size", "n_shared_experts"),
    *("kv_lora_rank", "q_lora_rank", "qk_nope_head_dim", "qk_rope_head_dim", "v_head_dim"),
    *("sliding_window", "num_kv_shared_layers", "first_k_dense_replace"),
    *EXPERTS,
    *EXPERTS_PER_TOKEN,
)
_MOST = 1 << 30
"""No model has more of anything that is counted here."""
_QUANTIZATION_WHOLE = ("bits", "w_bit", "group_size", "q_group_size")
_QUANTIZATION_BOOLEAN = ("desc_act", "sym", "zero_point")


class Misstated(NamedTuple):
    key: str
    value: Any
    wanted: str


def misstated(config: Mapping[str, Any]) -> Iterator[Misstated]:
    """Yield every value of the wrong kind, by the dotted name of its key.

    A list is left alone where a number is usual: some models state one number for each layer. 0 is what a model does not
    have, where it may do without. Since transformers 5 a config class refuses what is not of the kind that it declares
    (`StrictDataclassFieldValidationError`); before it, such values ended in a TypeError, once they were calculated with.
    """
    yield from _wrong(config, "architectures", lambda value: isinstance(value, list), "a list")
    yield from _part(config, "")
    for name in ("text_config", "vision_config"):
        yield from _wrong(config, name, _is_mapping, "an object")
    nested = config.get("text_config")
    if isinstance(nested, Mapping):
        yield from _part(nested, "text_config.")


def _part(config: Mapping[str, Any], prefix: str) -> Iterator[Misstated]:
    yield from _wrong(config, "model_type", lambda value: isinstance(value, str), "text", prefix)
    yield from _wrong(config, "tie_word_embeddings", _is_boolean, "`true` or `false`", prefix)
    for name in (*_POSITIVE, *_WHOLE):
        yield from _wrong(config, name, _is_whole, "a whole number", prefix)
        yield from _out_of_range(config, name, int(name in _POSITIVE), prefix)
    yield from _wrong(config, "quantization_config", _is_mapping, "an object", prefix)
    stated = config.get("quantization_config")
    if isinstance(stated, Mapping):
        yield from _quantization(stated, f"{prefix}quantization_config.")


def _out_of_range(config: Mapping[str, Any], key: str, least: int, prefix: str) -> Iterator[Misstated]:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or least <= value <= _MOST:
        return
    wanted = f"a whole number of {least} or more" if value < least else f"a whole number of {_MOST:,} at most"
    yield Misstated(f"{prefix}{key}", value, wanted)


def _quantization(stated: Mapping[str, Any], prefix: str) -> Iterator[Misstated]:
    yield from _wrong(stated, "quant_method", lambda value: isinstance(value, str), "text", prefix)
    for name in _QUANTIZATION_WHOLE:
        yield from _wrong(stated, name, _is_whole, "a whole number", prefix)
    for name in _QUANTIZATION_BOOLEAN:
        yield from _wrong(stated, name, _is_boolean, "`true` or `false`", prefix)
    yield from _wrong(stated, "weight_block_size", _is_block, "a list of two whole numbers", prefix)
    yield from _wrong(stated, "config_groups", _is_mapping, "an object", prefix)


def _wrong(
    config: Mapping[str, Any], key: str, is_right: Callable[[Any], bool], wanted: str, prefix: str = ""
) -> Iterator[Misstated]:
    """`null` is what some exporters write for a key that does not apply."""
    value = config.get(key)
    if value is not None and not is_right(value):
        yield Misstated(f"{prefix}{key}", value, wanted)


def _is_whole(value: Any) -> bool:
    return isinstance(value, list) or (isinstance(value, int) and not isinstance(value, bool))


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_block(value: Any) -> bool:
    return (
        isinstance(value, list) and len(value) == 2 and all(type(size) is int and size > 0 for size in value)
    )

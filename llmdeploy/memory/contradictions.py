"""Facts of a config.json that cannot all be true. What they contradict is never computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from llmdeploy.memory.config import Config, mapping

EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")
PER_TOKEN = ("num_experts_per_tok", "experts_per_token", "top_k_experts", "moe_topk")
LAYERS = ("num_hidden_layers", "n_layer", "n_layers", "num_layers")
HIDDEN = ("hidden_size", "n_embd", "d_model")
HEADS = ("num_attention_heads", "n_head", "num_heads")
_KV = ("num_key_value_heads", "num_kv_heads", "n_head_kv")

LAYER_TYPES = {
    *("full_attention", "sliding_attention", "chunked_attention", "linear_attention", "indexed_attention"),
    *("window_attention", "compressed_sparse_attention", "heavily_compressed_attention"),
    *("minimax_m3_sparse", "conv", "moe", "hybrid", "hybrid_sliding", "reference_sliding_attention"),
    *("mamba", "attention", "deepseek_sparse_attention", "qwen_sparse_attention", "sparse", "dense"),
}
"""The words that transformers takes (5.20, configuration_utils.py, ALLOWED_LAYER_TYPES and the older names of some)."""
_PATTERN = "M*-E"
"""The letters of Nemotron-H's `hybrid_override_pattern`."""


class Contradiction(Struct, frozen=True):
    """`keys` are the dotted names of the facts that cannot be true together; `text` is a clause that says so."""

    keys: tuple[str, ...]
    text: str
    help: str
    code: str = "LD354"


def contradictions(stated: Mapping[str, Any]) -> Iterator[Contradiction]:
    """Yield what contradicts itself in a config.json, or in as much of one as is stated.

    A fact that is not stated contradicts nothing, and one that is no number is for whoever needs it.
    """
    config = Config(stated)
    for rule in (_layers, _shared, _pattern, _heads, _width, _experts, _groups):
        yield from rule(config)


def _layers(config: Config) -> Iterator[Contradiction]:
    """Of lists that have an entry for each layer. Longer ones go on where drafting layers follow."""
    many = _number(config, *LAYERS)
    for key in ("layer_types", "layers_block_type", "hybrid_layer_pattern", "moe_layer_freq"):
        listed = config.sequence(key)
        if many is not None and listed and len(listed) < many[1]:
            text = f"`{key}` has {len(listed)} entries for the {many[1]} layers of `{many[0]}`"
            yield Contradiction(
                (key, many[0]), text, "state one for each layer, or correct the number of layers"
            )
    strange = next((one for one in config.sequence("layer_types") if str(one) not in LAYER_TYPES), None)
    if strange is not None:
        text = f"`layer_types` has `{str(strange)[:40]}`, which no layer is called"
        words = "`full_attention`, `sliding_attention`, `chunked_attention` and `linear_attention` are usual"
        yield Contradiction(("layer_types",), text, f"write what the layer is: {words}")


def _shared(config: Config) -> Iterator[Contradiction]:
    """Gemma's last layers read the cache of an earlier one, which must be there."""
    many, shared = _number(config, *LAYERS), _number(config, "num_kv_shared_layers")
    if many is not None and shared is not None and shared[1] >= many[1]:
        text = f"{shared[1]} of {many[1]} layers read the KV cache of an earlier one (`num_kv_shared_layers`), and none has its own"
        yield Contradiction((shared[0], many[0]), text, f"state less than {many[1]}; 0 where no layer does")


def _pattern(config: Config) -> Iterator[Contradiction]:
    pattern, many = config.get("hybrid_override_pattern"), _number(config, *LAYERS)
    if not isinstance(pattern, str):
        return
    key = "hybrid_override_pattern"
    strange = next((letter for letter in pattern if letter not in _PATTERN), None)
    if strange is not None:
        text = f"`{key}` has the letter `{strange}`, which no layer is called"
        yield Contradiction((key,), text, "its letters are M (Mamba), * (attention), - (MLP) and E (experts)")
    elif many is not None and len(pattern) != many[1]:
        text = f"`{key}` has {len(pattern)} letters for the {many[1]} layers of `{many[0]}`"
        yield Contradiction((key, many[0]), text, "state a letter for each layer")


def _heads(config: Config) -> Iterator[Contradiction]:
    """Each key belongs to the same number of query heads, and every engine asserts so as it loads.

    Source: vLLM 0.33, layers/attention/attention.py (`num_heads % num_kv_heads == 0`).
    """
    heads, kv = _number(config, *HEADS), _number(config, *_KV)
    if heads is None or kv is None or not kv[1] or config.get("kv_lora_rank") is not None:
        return
    if heads[1] % kv[1]:
        text = f"{heads[1]} attention heads, which {kv[1]} key/value heads cannot serve evenly"
        help = "look the two numbers up in its config.json: the first is a multiple of the second"
        yield Contradiction((kv[0], heads[0]), text, help, "LD351")


def _width(config: Config) -> Iterator[Contradiction]:
    """Source: transformers 5.20, models/llama/configuration_llama.py (validate_architecture)."""
    hidden, heads = _number(config, *HIDDEN), _number(config, *HEADS)
    stated = any(config.get(key) for key in ("head_dim", "attention_head_dim", "kv_lora_rank", "v_head_dim"))
    if hidden is not None and heads is not None and heads[1] and not stated and hidden[1] % heads[1]:
        text = f"`{hidden[0]}` is {hidden[1]}, which {heads[1]} heads cannot divide"
        help = "correct one of the two, or state `head_dim`, where heads are not a part of it"
        yield Contradiction((hidden[0], heads[0]), text, help)


def _experts(config: Config) -> Iterator[Contradiction]:
    many, visited = _number(config, *EXPERTS), _number(config, *PER_TOKEN)
    if many is not None and visited is not None and 0 < many[1] < visited[1]:
        text = f"a token visits {visited[1]} experts (`{visited[0]}`) of {many[1]} (`{many[0]}`)"
        yield Contradiction(
            (visited[0], many[0]), text, "look the two numbers up in the config.json of the model"
        )


def _groups(config: Config) -> Iterator[Contradiction]:
    """Weights that are quantized in groups of inputs: the groups are there, and fill every row.

    Source: vLLM 0.33, model_executor/layers/quantization/auto_gptq.py (create_weights: "The input size is not aligned with
    the quantized weight shape"), and compressed_tensors/schemes/compressed_tensors_wNa16.py.
    """
    declared = config.mapping("quantization_config")
    for key in ("group_size", "q_group_size"):
        if key in declared:
            yield from _group(config, f"quantization_config.{key}", declared[key])
    groups = declared.get("config_groups")
    if groups is not None and (not isinstance(groups, Mapping) or not groups):
        yield _no_group("quantization_config.config_groups", groups)
        return
    for name, group in mapping(groups).items():
        path = f"quantization_config.config_groups.{name}"
        weights = mapping(group).get("weights")
        if not isinstance(weights, Mapping):
            yield _no_group(path, group)
        elif weights.get("strategy", "group") == "group":
            yield from _group(config, f"{path}.weights.group_size", weights.get("group_size"))


def _no_group(path: str, value: Any) -> Contradiction:
    text = f"`{path}` is {_short(value)}, which does not say how weights are quantized"
    help = "copy `quantization_config` from its config.json: a group has `weights`, with their `num_bits` and `type`"
    return Contradiction((path,), text, help)


def _group(config: Config, path: str, size: Any) -> Iterator[Contradiction]:
    if not isinstance(size, int) or isinstance(size, bool) or size == -1:
        return
    if size < 1:
        text = f"`{path}` is {size}, which is no number of input features"
        yield Contradiction(
            (path,), text, "state what the weights were quantized with, often 128; -1 is all of a row"
        )
        return
    experts = _number(config, *EXPERTS)
    for keys in (HIDDEN, () if experts and experts[1] else ("intermediate_size",)):
        wide = _number(config, *keys) if keys else None
        if wide is not None and wide[1] % size:
            text = f"`{wide[0]}` is {wide[1]}, which groups of {size} (`{path}`) do not fill"
            yield Contradiction((path, wide[0]), text, "state the size that the weights were quantized with")
            return


def _number(config: Config, *keys: str) -> tuple[str, int] | None:
    """Return the first of the keys that is stated, and its value; None where that is no whole number."""
    for key in keys:
        value = config.get(key)
        if value is not None:
            whole = isinstance(value, int) and not isinstance(value, bool) and value >= 0
            return (key, value) if whole else None
    return None


def _short(value: Any) -> str:
    text = "empty" if value in ({}, []) else f"`{value}`"
    return text if len(text) <= 42 else f"{text[:40]}…`"

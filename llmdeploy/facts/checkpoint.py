"""What a config.json says about how its weights are quantized."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

_ALGORITHMS = {"FP8": "fp8", "NVFP4": "nvfp4", "MXFP8": "mxfp8", "MIXED_PRECISION": "mixed"}
"""How ModelOpt calls a scheme -> how we do. `mixed` is several schemes in one checkpoint."""


class Checkpoint(Struct, frozen=True):
    """`format` is config.json's quant_method, and behind a `/` the scheme where one method has several."""

    format: str = "plain"
    bits: int | None = None
    group: int | None = None
    """Input features that share a scale; a tensor-parallel shard must hold whole groups."""
    block: tuple[int, ...] | None = None
    """The same for both dimensions of the weights (output, input)."""


def checkpoint(declared: Any, exported: Any = None) -> Checkpoint:
    """Read a `quantization_config`; `exported` is ModelOpt's own file, which it writes beside config.json."""
    stated: Mapping[str, Any] = declared if isinstance(declared, Mapping) else {}
    outside: Mapping[str, Any] = exported if isinstance(exported, Mapping) else {}
    method = str(stated.get("quant_method") or ("modelopt" if stated or outside else "plain")).lower()
    algorithm = outside.get("quant_algo") or stated.get("quant_algo")
    if method == "compressed-tensors":
        return _compressed(stated)
    if algorithm is not None:
        return Checkpoint(f"{method}/{_ALGORITHMS.get(str(algorithm), str(algorithm).lower())}")
    return Checkpoint(
        method,
        bits=_bits(method, stated),
        group=_positive(stated.get("group_size", stated.get("q_group_size"))),
        block=_sizes(stated.get("weight_block_size")),
    )


def _bits(method: str, stated: Mapping[str, Any]) -> int | None:
    if method == "bitsandbytes":
        return 8 if stated.get("load_in_8bit") is True else 4
    return _positive(stated.get("bits", stated.get("w_bit")))


def _compressed(stated: Mapping[str, Any]) -> Checkpoint:
    groups = stated.get("config_groups")
    found = {_scheme(group) for group in groups.values()} if isinstance(groups, Mapping) else set()
    if len(found) != 1:
        return Checkpoint("compressed-tensors/mixed")
    scheme, bits, group, block = found.pop()
    return Checkpoint(f"compressed-tensors/{scheme}", bits, group, block)


def _scheme(group: Any) -> tuple[str, int | None, int | None, tuple[int, ...] | None]:
    """Name one scheme as its documentation does: W4A16 has weights of 4 bits and activations of 16."""
    whole: Mapping[str, Any] = group if isinstance(group, Mapping) else {}
    weights = whole.get("weights")
    if not isinstance(weights, Mapping):
        return "mixed", None, None, None
    bits, size = _positive(weights.get("num_bits")), _positive(weights.get("group_size"))
    inputs = whole.get("input_activations")
    kept = isinstance(inputs, Mapping)
    floating = weights.get("type") == "float"
    if floating and bits == 4:
        # Both are e2m1: NVIDIA's blocks have 16 values and a scale in fp8, MX's 32 and a power of two.
        name = ("mxfp4" if size == 32 else "nvfp4") + ("" if kept else "a16")
    else:
        activations = (inputs.get("num_bits") if isinstance(inputs, Mapping) else None) or 16
        kind = "-fp8" if "float" in (weights.get("type"), _type(inputs)) else ""
        kind = "-int8" if not kind and activations == 8 else kind
        name = f"w{bits}a{activations}{kind}"
    return name, bits, size, _sizes(weights.get("block_structure"))


def _type(inputs: Any) -> Any:
    return inputs.get("type") if isinstance(inputs, Mapping) else None


def _positive(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _sizes(value: Any) -> tuple[int, ...] | None:
    if isinstance(value, list) and len(value) == 2 and all(_positive(size) for size in value):
        return tuple(value)
    return None

"""How weights are quantized: which modules of a checkpoint are, and what a parameter then takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from math import ceil
from typing import Any

from msgspec import Struct

from llmdeploy.memory.config import Config, mapping
from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.exclusions import compiled, numbered
from llmdeploy.memory.shape import Part

WIDTHS = {"bfloat16": 2, "float16": 2, "half": 2, "float32": 4, "float": 4}

_NUMBERED = re.compile(r"layers\W*\d|\[\d|\(\d")
"""In a pattern: the number of a layer, or what may be one."""


class Format(Struct, frozen=True):
    """`bits` of a parameter, and `scale` bytes (with any zero point) for each `group` of inputs of an output.

    `block` inputs × outputs share four bytes, where there is one; `row` bytes go to each output.
    """

    name: str
    bits: float
    group: int = 0
    scale: float = 0.0
    block: tuple[int, ...] = ()
    row: float = 0.0

    def size(self, out: float, into: float) -> float:
        """Return the bytes of a matrix."""
        size = out * into * self.bits / 8 + out * self.row
        if self.group:
            size += out * ceil(into / self.group) * self.scale
        if self.block:
            size += ceil(out / self.block[0]) * ceil(into / self.block[1]) * 4
        return size


FP8 = Format("fp8", 8)
NVFP4 = Format("nvfp4", 4, 16, 1.0)
MXFP4 = Format("mxfp4", 4, 32, 1.0)
# memory-model §1.3: bytes of a parameter.
_ALGORITHMS = {
    "FP8": FP8,
    "NVFP4": NVFP4,
    "W4A16_NVFP4": NVFP4,
    "NVFP4_AWQ": NVFP4,
    "MXFP4": MXFP4,
    "MXFP8": Format("mxfp8", 8, 32, 1.0),
}
_RUNTIME = {
    "fp8": FP8,
    "fp8_per_tensor": FP8,
    "ptpc_fp8": Format("fp8", 8, row=4),
    "fp8_per_block": Format("fp8", 8, block=(128, 128)),
    "int8": Format("int8", 8, row=4),
    "experts_int8": Format("int8", 8, row=4),
    "bitsandbytes": Format("nf4", 4, 64, 1.0),
    "mxfp8": _ALGORITHMS["MXFP8"],
    "mxfp4": MXFP4,
}


class Scheme(Struct, frozen=True, dict=True):
    """`targets` are formats by the pattern of the modules that have them, the first that matches; `default` is of the rest."""

    name: str
    default: Format | None = None
    targets: tuple[tuple[str, Format], ...] = ()
    excluded: tuple[str, ...] = ()
    experts_only: bool = False
    kv_dtype: str | None = None
    """What the checkpoint wants its KV cache in."""

    @cached_property
    def _excluded(self) -> re.Pattern[str] | None:
        return compiled(self.excluded)

    @cached_property
    def _targets(self) -> tuple[tuple[re.Pattern[str] | None, Format], ...]:
        return tuple((compiled((pattern,)), format) for pattern, format in self.targets)

    @cached_property
    def apart(self) -> frozenset[int] | None:
        """The layers that a pattern names by their number; all others of a kind are alike. None: only a search can tell."""
        numbers: set[int] = set()
        for pattern in (*self.excluded, *(pattern for pattern, _ in self.targets)):
            if not _NUMBERED.search(pattern):
                continue
            named = numbered(pattern)
            if named is None:
                return None
            numbers |= named
        return frozenset(numbers)

    def of(self, part: Part, path: str) -> Format | None:
        """Return the format of a module; None where it keeps the model's dtype."""
        if not part.linear or (self.experts_only and not part.expert):
            return None
        if self._excluded is not None and self._excluded.search(path):
            return None
        for pattern, format in self._targets:
            if pattern is not None and pattern.search(path):
                return format
        # Where all linear modules are quantized, the output layer is not one of them.
        return self.default if path != "lm_head" else None


def scheme(stated: Mapping[str, Any], runtime: str | None = None) -> Scheme:
    """Read the quantization of a config.json; `runtime` is what an engine quantizes plain weights to."""
    config = Config(stated)
    declared = config.mapping("quantization_config", "compression_config")
    exported = config.mapping("hf_quant_config")
    exported = mapping(exported.get("quantization")) or exported
    if not declared and not exported:
        return _runtime(runtime)
    method = str(declared.get("quant_method") or "modelopt").lower()
    common: dict[str, Any] = {"excluded": _named(declared, exported), "kv_dtype": _kv(declared, exported)}
    if method == "compressed-tensors" or "quantized_layers" in {**declared, **exported}:
        targets = _targets(declared, exported)
        default = next((format for pattern, format in targets if pattern == "Linear"), None)
        named = tuple((pattern, format) for pattern, format in targets if pattern != "Linear")
        return Scheme(method, default, named, **common)
    algorithm = exported.get("quant_algo") or declared.get("quant_algo")
    if algorithm is None:
        return Scheme(method, _plain(method, declared), experts_only=method == "mxfp4", **common)
    if (format := _ALGORITHMS.get(str(algorithm).upper())) is None:
        raise UnmodelledError("quantization", f"ModelOpt's `{algorithm}` is not modelled")
    return Scheme(method, format, **common)


_LISTS = ("ignore", "modules_to_not_convert", "exclude_modules", "ignored_layers")


def _named(declared: Mapping[str, Any], exported: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the modules that are not quantized, by whichever name a method has for the list."""
    lists = (source.get(key) for source in (declared, exported) for key in _LISTS)
    return tuple(str(name) for one in lists if isinstance(one, (list, tuple)) for name in one)


def _runtime(word: str | None) -> Scheme:
    if word is None:
        return Scheme("plain")
    format = _RUNTIME.get(word)
    if format is None:
        raise UnmodelledError("quantization", f"what `{word}` makes of plain weights is not modelled")
    return Scheme(word, format, experts_only=word in ("experts_int8", "mxfp4"))


def _plain(method: str, declared: Mapping[str, Any]) -> Format:
    bits = _size(declared.get("bits", declared.get("w_bit"))) or 4
    group = _size(declared.get("group_size", declared.get("q_group_size", 128))) or 1 << 30
    block = _block(declared.get("weight_block_size"))
    nf4, int8 = Format("nf4", 4, 64, 1.0), Format("int8", 8, row=4)
    formats = {
        "fp8": Format("fp8", 8, block=block),
        "fbgemm_fp8": Format("fp8", 8, row=4),
        "awq": Format("awq", bits, group, 2 + bits / 8),
        "gptq": Format("gptq", bits, group, 2.0),
        "auto-round": Format("auto-round", bits, group, 2.0),
        "auto_round": Format("auto-round", bits, group, 2.0),
        "mxfp4": MXFP4,
        "bitsandbytes": int8 if declared.get("load_in_8bit") is True else nf4,
    }
    if method not in formats:
        raise UnmodelledError("quantization", f"checkpoints of `{method}` are not modelled")
    return formats[method]


def _targets(declared: Mapping[str, Any], exported: Mapping[str, Any]) -> list[tuple[str, Format]]:
    """Return the formats of compressed-tensors' groups, and of the single modules that ModelOpt lists."""
    found: list[tuple[str, Format]] = []
    for group in mapping(declared.get("config_groups")).values():
        format, targets = _weights(mapping(mapping(group).get("weights"))), mapping(group).get("targets")
        found += [(str(target), format) for target in (targets if isinstance(targets, list) else ["Linear"])]
    for source in (declared, exported):
        for module, row in mapping(source.get("quantized_layers")).items():
            known = _ALGORITHMS.get(str(mapping(row).get("quant_algo")))
            found += [(str(module), known)] if known is not None else []
    return found


def _weights(weights: Mapping[str, Any]) -> Format:
    """Read the weights of one group of compressed-tensors."""
    bits, size = _size(weights.get("num_bits")) or 8, _size(weights.get("group_size"))
    if weights.get("type") == "float" and bits == 4:
        return MXFP4 if size == 32 else NVFP4
    if weights.get("block_structure"):
        return Format("fp8", bits, block=_block(weights["block_structure"]) or (128, 128))
    if size:
        return Format(f"w{bits}", bits, size, 2.0 if weights.get("symmetric", True) else 2 + bits / 8)
    return Format(f"w{bits}", bits, row=4)


def _size(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 20 else None


def _block(value: Any) -> tuple[int, ...]:
    sizes = tuple(map(_size, value)) if isinstance(value, (list, tuple)) else ()
    return tuple(size for size in sizes if size) if len(sizes) == 2 and all(sizes) else ()


def _kv(declared: Mapping[str, Any], exported: Mapping[str, Any]) -> str | None:
    algorithm = exported.get("kv_cache_quant_algo") or declared.get("kv_cache_quant_algo")
    stated = declared.get("kv_cache_scheme")
    if algorithm is None and isinstance(stated, str):
        algorithm = stated
    if isinstance(stated, Mapping) and stated.get("num_bits") == 8:
        algorithm = "FP8"
    return "fp8" if str(algorithm).upper() == "FP8" else None

"""The bytes of the weights on each rank: parts × scheme, cut by tensor, pipeline and expert parallelism."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from msgspec import Struct

from llmdeploy.memory.allocator import waste
from llmdeploy.memory.model import Adapters, Line, Split
from llmdeploy.memory.scheme import Format, Scheme
from llmdeploy.memory.shape import Part, Shape

GIB = 1 << 30
_FUSED = r"(?:(q|k|v)_proj|(gate|up)_proj|in_proj_(?:qkv|z))$"
"""What engines load into one tensor: queries, keys and values; gate and up; the inputs of a gated delta net."""


class Loading(Struct, frozen=True):
    """How an engine loads: what differs between engines, releases and cards, for one model."""

    scheme: Scheme
    width: float
    """Bytes of a parameter that is not quantized."""
    pad_vocab: int = 64
    """The rows of embedding and output layer are a multiple of it; 1 where they are left as they are."""
    expert_ranks: int = 1
    """Ranks that share the experts of a layer."""
    whole_experts: bool = False
    """Each rank has whole experts (expert parallelism), not a slice of each."""
    pad_experts: tuple[int, int] = (1, 1)
    """MXFP4: an expert's slice is a multiple of these, intermediate and hidden."""
    tower: bool = True
    whole_tower: bool = False
    """Every rank has the vision tower whole."""
    absorb: bool = False
    """Latent attention: copies of kv_b_proj in the model's dtype, made after loading."""
    drafting: bool = False
    """Layers of multi-token prediction are loaded, too."""
    rope_width: float = 2.0
    expert_inputs: int = 0
    """Matrices over the hidden size that LoRA keeps for an expert's gate and up; 0 where experts have no slots."""
    caching: bool = True
    """PyTorch's allocator of GPUs hands out steps of 2 MiB; that of the CPU takes what is asked for."""
    buffers: bool = False
    """Four scales in fp32 for each attention, and Gemma's normalizer (vLLM 0.33, layers/attention, _init_kv_cache_quant)."""


def stages(layers: int, pipeline: int) -> tuple[range, ...]:
    """Return which layers each stage has: a remainder goes to the stages before the last, from the end.

    Source: vLLM 0.33, distributed/utils.py, get_pp_indices.
    """
    each, rest = divmod(layers, pipeline)
    sizes = [each] * pipeline
    for i in range(2, rest + 2):
        sizes[-i] += 1
    found, start = [], 0
    for size in sizes:
        found.append(range(start, start + size))
        start += size
    return tuple(found)


def weigh(shape: Shape, loading: Loading, split: Split, layers: range) -> tuple[Line, ...]:
    """Return the lines of one rank of a stage; `layers` are those that it holds."""
    cut = Cut(loading, split.tensor)
    first, last = layers.start == 0, layers.stop == len(shape.layers)
    bulk = Bulk(cut)
    for index in layers:
        bulk.layer(shape.layers[index].parts, index)
    cutting = f", 1/{split.tensor} of each" if split.tensor > 1 else ""
    how = loading.scheme.name if loading.scheme.name != "plain" else f"{loading.width:g} bytes a parameter"
    lines = [
        Line("weights", bulk.dense / GIB, f"{_named(layers)}: attention, MLPs and norms ({how}){cutting}")
    ]
    if bulk.experts:
        lines.append(Line("weights", bulk.experts / GIB, _experts(shape, loading)))
    ends = list(_ends(shape, first, last))
    if ends:
        size = sum(cut.size(part, part.module) for part in ends)
        tables = [part.module for part in ends if part.along == "vocab"]
        padded = f", padded to {loading.pad_vocab}" if loading.pad_vocab > 1 else ""
        entries = f"{shape.vocab} entries of {shape.hidden}{padded}"
        rule = f"{' and '.join(tables)}: {entries}{cutting}" if tables else "the last norm"
        lines.append(Line("weights", size / GIB, rule))
    if shape.vision and loading.tower and first:
        size = sum(cut.tower(part) for part in shape.vision)
        lines.append(Line("weights", size / GIB, "the vision tower, and what joins it to the language model"))
    if loading.drafting and last and shape.drafter:
        size = sum(cut.size(part, f"mtp.{part.module}") for layer in shape.drafter for part in layer.parts)
        lines.append(Line("weights", size / GIB, "the layers of multi-token prediction, which draft"))
    if bulk.lost:
        lines.append(
            Line("weights", bulk.lost / GIB, "PyTorch's allocator: large tensors take steps of 2 MiB")
        )
    return (*lines, *beside(shape, loading, split, layers))


def beside(shape: Shape, loading: Loading, split: Split, layers: range) -> Iterator[Line]:
    """Yield what a rank holds that no checkpoint contains."""
    scales = 0.0
    if loading.buffers:
        scales = 16.0 * sum(_attends(shape.layers[i].parts) for i in layers)
        scales += loading.width if shape.family == "gemma" else 0.0
    if shape.rope:
        size = shape.rope * loading.rope_width + scales
        yield Line("weights", size / GIB, "rope: sines and cosines of every position, on every rank")
    elif scales:
        yield Line("weights", scales / GIB, "the scales of each attention")
    if loading.absorb and shape.latent_heads is not None:
        lora, nope, value = shape.latent_heads
        many = sum(
            1 for i in layers if (cache := shape.layers[i].cache) is not None and cache.kind == "latent"
        )
        size = 2 * lora * shape.heads / split.tensor * (nope + value) * many
        yield Line(
            "weights", size / GIB, "latent attention: W_UK and W_UV, copies of kv_b_proj made after loading"
        )


def rows(entries: int, loading: Loading, ranks: int, *, head: bool) -> float:
    """Return a rank's rows of the vocabulary. TGI does not pad, and keeps an output layer whole that does not divide."""
    pad = loading.pad_vocab
    if pad == 1 and head and entries % ranks:
        return entries
    return -(-entries // pad) * pad / ranks


def _attends(parts: tuple[Part, ...]) -> bool:
    return any(part.module.endswith(".o_proj") for part in parts)


def adapted(shape: Shape, adapters: Adapters, loading: Loading, split: Split, layers: range) -> Line:
    """Return what LoRA reserves: the first matrix of a pair is whole where outputs are cut, and the reverse."""
    total = 0.0
    for index in layers:
        for part in shape.layers[index].parts:
            if part.linear and not part.expert:
                total += part.into / (split.tensor if part.along == "in" else 1)
                total += part.out / (split.tensor if part.along in ("out", "heads") else 1)
    size = adapters.slots * adapters.rank * total * loading.width
    return Line("weights", size / GIB, f"LoRA: {adapters.slots} slots of rank {adapters.rank}, filled or not")


def adapted_experts(
    shape: Shape, adapters: Adapters, loading: Loading, split: Split, layers: range
) -> Line | None:
    """Return what LoRA reserves for the experts, of which each has pairs of its own, whatever the adapters name.

    Source: vLLM 0.33, lora/layers/fused_moe.py, _create_lora_a_weights and _create_lora_b_weights. Gate and up are one
    matrix of the outputs; over the inputs they have one each, or share it (FusedMoE3DWithLoRA).
    """
    if shape.moe is None or not loading.expert_inputs:
        return None
    cut, total = Cut(loading, split.tensor), 0.0
    for index in layers:
        for part in shape.layers[index].parts:
            if not (part.linear and part.expert):
                continue
            out, into, count = cut.slice(part)
            format = loading.scheme.of(part, f"layers.{index}.{part.module}")
            out, into = cut.padded(part, format, out, into) if format else (out, into)
            matrices = part.out // shape.moe.intermediate if part.along == "out" else 1
            total += count * (min(matrices, loading.expert_inputs) * into + out)
    if not total:
        return None
    size = adapters.slots * adapters.rank * total * loading.width
    return Line("weights", size / GIB, f"LoRA of {shape.moe.experts} experts a layer, in each of these slots")


class Bulk:
    """Sums of layers: bytes of experts and of the rest, and what the allocator loses behind them."""

    def __init__(self, cut: Cut) -> None:
        self.cut, self.dense, self.experts, self.lost = cut, 0.0, 0.0, 0.0
        self._seen: dict[tuple[Part, str | None], tuple[float, float]] = {}
        self._layers: dict[int, tuple[float, float, float]] = {}

    def layer(self, parts: tuple[Part, ...], index: int) -> None:
        """Add a layer. Like ones are weighed once, and those that the scheme names by number each by itself."""
        apart = self.cut.loading.scheme.apart
        if apart is None or index in apart:
            dense, experts, lost = self._weigh(parts, f"layers.{index}")
        else:
            if id(parts) not in self._layers:
                self._layers[id(parts)] = self._weigh(parts, f"layers.{index}")
            dense, experts, lost = self._layers[id(parts)]
        self.dense += dense
        self.experts += experts
        self.lost += lost

    def _weigh(self, parts: tuple[Part, ...], path: str) -> tuple[float, float, float]:
        dense = experts = 0.0
        tensors: dict[str, float] = {}
        for part in parts:
            size, raw = self._size(part, f"{path}.{part.module}")
            experts += size if part.expert else 0.0
            dense += 0.0 if part.expert else size
            fused = _fused(part.module)
            tensors[fused] = tensors.get(fused, 0.0) + raw
        return (
            dense,
            experts,
            sum(waste(size) for size in tensors.values()) if self.cut.loading.caching else 0.0,
        )

    def _size(self, part: Part, path: str) -> tuple[float, float]:
        """Return the bytes, and those of the values alone: scales are tensors of their own."""
        format = self.cut.loading.scheme.of(part, path)
        key = (part, format.name if format else None)
        if key not in self._seen:
            self._seen[key] = self.cut.sized(part, format), self.cut.values(part, format)
        return self._seen[key]


@cache
def _fused(module: str) -> str:
    """Return the path of the tensor that a module is loaded into."""
    return re.sub(_FUSED, lambda found: "qkv" if found[1] else "gate_up" if found[2] else "in", module)


class Cut(Struct, frozen=True):
    """One rank's slice of a part."""

    loading: Loading
    tensor: int

    def size(self, part: Part, path: str) -> float:
        """Return its bytes."""
        return self.sized(part, self.loading.scheme.of(part, path))

    def sized(self, part: Part, format: Format | None) -> float:
        out, into, count = self.slice(part)
        if format is None:
            return count * out * into * (part.width or self.loading.width)
        return count * format.size(*self.padded(part, format, out, into))

    def values(self, part: Part, format: Format | None) -> float:
        out, into, count = self.slice(part)
        if format is None:
            return count * out * into * (part.width or self.loading.width)
        out, into = self.padded(part, format, out, into)
        return count * out * into * format.bits / 8

    def slice(self, part: Part) -> tuple[float, float, float]:
        """Return outputs, inputs and copies."""
        out, into, count = float(part.out), float(part.into), float(part.count)
        ranks = self.tensor
        if part.expert:
            if self.loading.whole_experts:
                return out, into, count / self.loading.expert_ranks
            ranks = self.loading.expert_ranks
        if part.along == "out":
            out /= ranks
        elif part.along == "in":
            into /= ranks
        elif part.along == "heads":
            out *= max(part.heads, ranks) / part.heads / ranks
        elif part.along == "vocab":
            out = rows(part.out, self.loading, ranks, head=part.module == "lm_head")
        return out, into, count

    def tower(self, part: Part) -> float:
        ranks = self.tensor if part.along in ("out", "in") and not self.loading.whole_tower else 1
        return part.out * part.into * part.count * self.loading.width / ranks

    def padded(self, part: Part, format: Format, out: float, into: float) -> tuple[float, float]:
        if format.name != "mxfp4" or not part.expert:
            return out, into
        inner, hidden = self.loading.pad_experts
        if part.along == "out":  # gate and up: two slices of the intermediate size, over the hidden size
            return 2 * _up(out / 2, inner), _up(into, hidden)
        return _up(out, hidden), _up(into, inner)


def _up(size: float, multiple: int) -> float:
    return -(-size // multiple) * multiple


def _ends(shape: Shape, first: bool, last: bool) -> Iterator[Part]:
    """Yield what stands before the first layer and after the last; a tied embedding is on both stages."""
    if first:
        yield shape.embedding
        yield from shape.ends
    if last:
        if shape.head is not None:
            yield shape.head
        elif not first:
            yield shape.embedding
        yield from shape.last


def _named(layers: range) -> str:
    return f"layers {layers.start}–{layers.stop - 1}" if len(layers) > 1 else f"layer {layers.start}"


def _experts(shape: Shape, loading: Loading) -> str:
    many = shape.moe.experts if shape.moe else 0
    if loading.expert_ranks == 1:
        return f"{many} experts a layer"
    how = "a share of the experts" if loading.whole_experts else "a slice of each expert"
    return f"{many} experts a layer: {how} on each of {loading.expert_ranks} ranks"

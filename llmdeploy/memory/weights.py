"""The bytes of the weights on each rank: parts × scheme, cut by tensor, pipeline and expert parallelism."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from llmdeploy.memory.model import Adapters, Line, Split
from llmdeploy.memory.scheme import Scheme
from llmdeploy.memory.shape import Layer, Part, Shape

GIB = 1 << 30


class Loading(Struct, frozen=True):
    """How an engine loads: what differs between engines, releases and cards, for one model."""

    scheme: Scheme
    width: float
    """Bytes of a parameter that is not quantized."""
    pad_vocab: int = 64
    expert_ranks: int = 1
    """Ranks that share the experts of a layer."""
    whole_experts: bool = False
    """Each rank has whole experts (expert parallelism), not a slice of each."""
    pad_experts: tuple[int, int] = (1, 1)
    """MXFP4: an expert's slice is a multiple of these, intermediate and hidden."""
    tower: bool = True
    tower_ranks: int = 1
    absorb: bool = False
    """Latent attention: copies of kv_b_proj in the model's dtype, made after loading."""
    drafting: bool = False


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


def weigh(
    shape: Shape, loading: Loading, split: Split, layers: range, adapters: Adapters | None = None
) -> tuple[Line, ...]:
    """Return the lines of one rank of a stage; `layers` are those that it holds."""
    cut = Cut(loading, split.tensor)
    first, last = layers.start == 0, layers.stop == len(shape.layers)
    sums: dict[str, float] = {}
    for index in layers:
        for part in shape.layers[index].parts:
            name = "experts" if part.expert else "layers"
            sums[name] = sums.get(name, 0.0) + cut.size(part, f"layers.{index}.{part.module}")
    lines = [
        _line(
            "layers",
            sums,
            f"layers {layers.start}–{layers.stop - 1}: attention, MLPs, norms ({_how(loading)})",
            split,
        )
    ]
    if shape.moe and "experts" in sums:
        lines.append(_line("experts", sums, _experts(shape, loading), split))
    ends = list(_ends(shape, first, last))
    if ends:
        size = sum(cut.size(part, part.module) for part in ends)
        names = " and ".join(part.module for part in ends if part.along == "vocab") or "norms"
        lines.append(
            Line(
                "weights",
                size / GIB,
                f"{names}: {shape.vocab} entries of {shape.hidden}, padded to {loading.pad_vocab}, not quantized",
            )
        )
    if shape.vision and loading.tower and first:
        size = sum(cut.tower(part) for part in shape.vision)
        lines.append(Line("weights", size / GIB, "the vision tower and what joins it to the language model"))
    if shape.rope:
        lines.append(
            Line(
                "weights",
                shape.rope * loading.width / GIB,
                "rope: a table of sines and cosines over the model's whole context, on every rank",
            )
        )
    if loading.absorb and shape.latent_heads is not None:
        lora, nope, value = shape.latent_heads
        many = sum(1 for i in layers if (cache := shape.layers[i].cache) and cache.kind == "latent")
        size = 2 * lora * shape.heads / split.tensor * (nope + value) * many
        lines.append(
            Line(
                "weights",
                size / GIB,
                "latent attention: W_UK and W_UV, copies of kv_b_proj made after loading",
            )
        )
    if loading.drafting and last and shape.drafter:
        size = sum(cut.size(part, f"mtp.{part.module}") for layer in shape.drafter for part in layer.parts)
        lines.append(Line("weights", size / GIB, "the layers of multi-token prediction, which draft"))
    if adapters is not None:
        size = adapters.slots * adapters.rank * _adapted(shape, layers, split.tensor) * loading.width
        lines.append(
            Line(
                "weights", size / GIB, f"LoRA: {adapters.slots} slots of rank {adapters.rank}, filled or not"
            )
        )
    return tuple(lines)


class Cut(Struct, frozen=True):
    """One rank's slice of a part."""

    loading: Loading
    tensor: int

    def size(self, part: Part, path: str) -> float:
        """Return its bytes."""
        format = self.loading.scheme.of(part, path)
        out, into, count = self.slice(part)
        if format is not None and format.name == "mxfp4" and part.expert:
            out, into = self._padded(part, out, into)
        width = part.width or self.loading.width
        return count * (format.size(out, into) if format is not None else out * into * width)

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
            pad = self.loading.pad_vocab
            out = -(-part.out // pad) * pad / ranks
        return out, into, count

    def tower(self, part: Part) -> float:
        ranks = self.loading.tower_ranks if part.along in ("out", "in") else 1
        return part.out * part.into * part.count * self.loading.width / ranks

    def _padded(self, part: Part, out: float, into: float) -> tuple[float, float]:
        inner, hidden = self.loading.pad_experts
        if part.along == "out":  # gate and up: two slices of the intermediate size, over the hidden size
            return 2 * _up(out / 2, inner), _up(into, hidden)
        return _up(out, hidden), _up(into, inner)


def _up(size: float, multiple: int) -> float:
    return -(-size // multiple) * multiple


def _ends(shape: Shape, first: bool, last: bool) -> Iterator[Part]:
    if first:
        yield shape.embedding
        yield from shape.ends
    if last:
        if shape.head is not None:
            yield shape.head
        elif not first:
            yield shape.embedding
        yield from shape.last


def _adapted(shape: Shape, layers: range, tensor: int) -> float:
    """Return the parameters of a LoRA of rank 1: its first matrix is whole where outputs are cut, and the reverse."""
    total = 0.0
    for index in layers:
        for part in shape.layers[index].parts:
            if part.linear and not part.expert:
                total += part.into / (tensor if part.along == "in" else 1)
                total += part.out / (tensor if part.along in ("out", "heads") else 1)
    return total


def _line(name: str, sums: Mapping[str, float], rule: str, split: Split) -> Line:
    cut = f", 1/{split.tensor} of each" if split.tensor > 1 else ""
    return Line("weights", sums.get(name, 0.0) / GIB, rule + cut)


def _how(loading: Loading) -> str:
    return loading.scheme.name if loading.scheme.name != "plain" else f"{loading.width:g} bytes a parameter"


def _experts(shape: Shape, loading: Loading) -> str:
    assert shape.moe is not None
    how = "whole experts" if loading.whole_experts else "a slice of each expert"
    shared = f": {how} on each of {loading.expert_ranks} ranks" if loading.expert_ranks > 1 else ""
    return f"{shape.moe.experts} experts a layer{shared}"


def drafter_caches(shape: Shape) -> tuple[Layer, ...]:
    return shape.drafter

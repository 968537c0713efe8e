"""What a model is made of, as far as memory goes: parts with their sizes, and what each layer caches."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Kind = Literal["full", "sliding", "chunked", "latent", "state"]
Along = Literal["out", "in", "heads", "none", "vocab"]
"""How tensor parallelism cuts a part: its outputs, its inputs, whole KV heads, not at all, the padded vocabulary."""


class Part(Struct, frozen=True):
    """The weights of one module, `count` times over: a matrix of `out` × `into`, or a vector.

    `module` is its path below the layer, as checkpoints name it, which exclude lists are held against. `linear` says
    that a scheme may quantize it; `width` is the bytes of a parameter that no scheme and no dtype changes. A part that is
    cut along `heads` has `heads` of them.
    """

    module: str
    out: int
    into: int = 1
    along: Along = "none"
    count: int = 1
    linear: bool = False
    expert: bool = False
    heads: int = 0
    width: float | None = None


class Cache(Struct, frozen=True):
    """What one layer keeps of a sequence.

    full, sliding, chunked: `heads` × (`key` + `value`) elements of every token (of the last `window`, where there is
    one). latent: one vector of `key` elements, which every rank has whole, and `index` bytes of an indexer.
    state: `channels` of a convolution over `kernel` tokens and a `recurrent` matrix, once for each sequence.
    """

    kind: Kind
    heads: int = 0
    key: int = 0
    value: int = 0
    window: int = 0
    index: int = 0
    channels: int = 0
    kernel: int = 0
    recurrent: int = 0
    groups: int = 0
    """Mamba's: each rank has at least one, of `group_channels` of `channels`."""
    group_channels: int = 0


class Layer(Struct, frozen=True):
    """A decoder layer. `shares` says that it reads another layer's cache and has none of its own."""

    parts: tuple[Part, ...]
    cache: Cache | None


class Moe(Struct, frozen=True):
    """Experts of one layer, how many a token visits, and the width of each."""

    experts: int
    per_token: int
    intermediate: int


class Shape(Struct, frozen=True):
    """A whole model. `rope` is the elements of its tables of sines and cosines."""

    family: str
    dtype: str
    layers: tuple[Layer, ...]
    embedding: Part
    head: Part | None
    ends: tuple[Part, ...]
    """Beside the embedding on the first stage: positions, norms."""
    last: tuple[Part, ...]
    rope: int
    hidden: int
    intermediate: int
    vocab: int
    heads: int
    kv_heads: int
    max_context: int | None
    unscaled_context: int | None
    """Of a LongRoPE."""
    moe: Moe | None = None
    vision: tuple[Part, ...] = ()
    vision_heads: int = 0
    drafter: tuple[Layer, ...] = ()
    """Multi-token prediction: layers that load where they draft, and not otherwise."""
    latent_heads: tuple[int, int, int] | None = None
    """Latent attention: kv_lora_rank, and a head's elements without rope and of the value."""
    ssm_dtype: str = "auto"
    """Of a recurrent state, where config.json or the engine's own rule for the architecture says it."""

    @property
    def indexed(self) -> bool:
        """Whether latent attention picks tokens by an index (DSA), and has kernels and formats of its own."""
        return any(layer.cache is not None and layer.cache.index for layer in self.layers)

"""The KV cache: pages, the groups of layers that share block ids, and the blocks of one request.

Source: vLLM 0.33, v1/core/kv_cache_planning.py (_get_kv_cache_groups_uniform_page_size) and v1/kv_cache_interface.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import ceil

from msgspec import Struct

from llmdeploy.memory.shape import Cache


class Storage(Struct, frozen=True):
    """How a cache is kept: bytes of an element, blocks, and what each sequence's state is made of."""

    element: float = 2.0
    """Of keys and values."""
    latent: float | None = None
    """Bytes of a token of latent attention in a layer, where a format of its own is used (fp8_ds_mla: 656)."""
    conv: float = 2.0
    ssm: float = 4.0
    block: int = 16
    align: int = 16
    """Where a block must be as large as a state: what its tokens are a multiple of."""
    drafted: int = 0
    """Tokens that are drafted at once: a state is kept for each."""
    aligned_states: bool = True
    """One more block of states for each request: prefix caching keeps them at the ends of blocks."""
    hybrid: bool = True
    """Layers with a window give back what falls out of it; otherwise they keep everything."""


class Group(Struct, frozen=True):
    """Layers of one kind that have a block of the pool together."""

    kind: str
    block: int
    window: int = 0


class Pool(Struct, frozen=True):
    """What the memory that is left is divided into. `bytes_per_block` is one block id in all layers of one group."""

    bytes_per_block: float
    groups: tuple[Group, ...]
    storage: Storage
    bytes_per_token: float
    """Of all layers that keep every token."""

    @property
    def block(self) -> int:
        """The tokens of a block, where it has any."""
        return next(
            (g.block for g in self.groups if g.kind in ("full", "latent")),
            self.groups[0].block if self.groups else 16,
        )

    def blocks_of(self, context: int, in_flight: int) -> int:
        """Return the blocks of one request of full length, with `in_flight` tokens scheduled and not done."""
        return sum(self._blocks(group, context, in_flight) for group in self.groups)

    def _blocks(self, group: Group, context: int, in_flight: int) -> int:
        if group.kind == "state":
            return (2 if self.storage.aligned_states else 1) + self.storage.drafted
        if group.kind == "sliding":
            return ceil(min(group.window - 1 + in_flight, context) / group.block) + 1
        if group.kind == "chunked":
            return ceil(min(group.window + in_flight, context) / group.block)
        return ceil(context / group.block)


def token_bytes(cache: Cache, tensor: int, storage: Storage) -> float:
    """Return the bytes of a token in one layer on one rank. A KV head that cannot be cut is on several ranks."""
    if cache.kind == "latent":
        return (storage.latent if storage.latent is not None else cache.key * storage.element) + cache.index
    if cache.kind == "state":
        return 0.0
    return max(1, cache.heads // tensor) * (cache.key + cache.value) * storage.element


def state_bytes(cache: Cache, tensor: int, storage: Storage) -> float:
    """Return the bytes of a sequence's state in one layer on one rank.

    Source: vLLM 0.33, model_executor/layers/mamba/mamba_utils.py, gated_delta_net_state_shape and mamba2_state_shape.
    """
    groups = max(cache.groups, tensor) if cache.groups else 0
    channels = cache.channels + groups * cache.group_channels
    tail = cache.kernel - 1 + storage.drafted
    return channels / tensor * tail * storage.conv + cache.recurrent / tensor * storage.ssm


def pool(caches: Iterable[Cache], tensor: int, storage: Storage) -> Pool:
    """Divide the layers of one rank into groups. Layers without a cache of their own are left out before."""
    listed = [cache if storage.hybrid else _whole(cache) for cache in caches]
    each = {cache: token_bytes(cache, tensor, storage) for cache in {*listed}}
    kept = sum(each[cache] for cache in listed if cache.kind in ("full", "latent"))
    kinds = {(cache.kind, cache.window) for cache in listed}
    if len(kinds) <= 1 and ("state", 0) not in kinds:
        # One kind of layer, of whatever sizes, is one group.
        kind, window = next(iter(kinds), ("full", 0))
        total = sum(each[cache] for cache in listed)
        return Pool(total * storage.block, (Group(kind, storage.block, window),), storage, total)
    states = [state_bytes(cache, tensor, storage) for cache in listed if cache.kind == "state"]
    block, page = _page(max(each.values()), states, storage)
    return _grouped(Counter((c.kind, c.window, each[c]) for c in listed), block, page, storage, kept)


def _page(widest: float, states: list[float], storage: Storage) -> tuple[int, float]:
    """Return the tokens of a block, and the bytes of it in one layer: a block is at least as large as a state.

    Source: vLLM 0.33, platforms/interface.py, _align_hybrid_block_size.
    """
    if not states:
        return storage.block, storage.block * widest
    if not widest:
        return storage.block, max(states)
    block = max(storage.block, storage.align * ceil(max(states) / (storage.align * widest)))
    return block, block * widest


def _grouped(
    layers: Counter[tuple[str, int, float]], block: int, page: float, storage: Storage, kept: float
) -> Pool:
    """Make groups of as many layers as the fewest kind has; where the kinds are nearly as many, of the most."""
    fewest, most = min(layers.values()), max(layers.values())
    size = most if most < 1.5 * fewest else fewest
    groups: list[Group] = []
    for (kind, window, wide), many in layers.items():
        # Pages of all groups have one size: a layer with a smaller token has more of them in one.
        held = int(page // wide) if wide else block
        groups += [Group(kind, held, window)] * ceil(many / size)
    return Pool(size * page, tuple(groups), storage, kept)


def _whole(cache: Cache) -> Cache:
    if cache.kind not in ("sliding", "chunked"):
        return cache
    return Cache("full", cache.heads, cache.key, cache.value)

"""The KV cache: pages, the groups of layers that share block ids, and the blocks of one request.

Source: vLLM 0.33, v1/core/kv_cache_planning.py (_get_kv_cache_groups_uniform_page_size) and v1/kv_cache_interface.py.
"""

from __future__ import annotations

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
    listed = list(caches)
    states = [cache for cache in listed if cache.kind == "state"]
    tokens = [cache for cache in listed if cache.kind != "state"]
    if not storage.hybrid:
        tokens = [_whole(cache) for cache in tokens]
    each = {cache: token_bytes(cache, tensor, storage) for cache in {*tokens}}
    whole = sum(each[cache] for cache in tokens if cache.kind in ("full", "latent"))
    kinds = {(cache.kind, cache.window) for cache in tokens}
    if not states and len(kinds) <= 1:
        # One kind of layer, of whatever sizes: one group with all of them.
        only = Group(
            *next(((cache.kind, storage.block, cache.window) for cache in tokens), ("full", storage.block))
        )
        total = sum(each[cache] for cache in tokens)
        return Pool(total * storage.block, (only,), storage, total)
    widest = max(each.values(), default=0.0)
    block = storage.block
    if states:
        largest = max(state_bytes(cache, tensor, storage) for cache in states)
        if widest:
            block = max(block, storage.align * ceil(largest / (storage.align * widest)))
            page = block * widest
        else:
            page = largest
    else:
        page = block * widest
    buckets: dict[tuple[str, int, float], int] = {}
    for cache in tokens:
        key = (cache.kind, cache.window, each[cache])
        buckets[key] = buckets.get(key, 0) + 1
    if states:
        buckets["state", 0, page] = len(states)
    sizes = list(buckets.values())
    size = max(sizes) if max(sizes) < 1.5 * min(sizes) else min(sizes)
    groups: list[Group] = []
    for (kind, window, wide), many in buckets.items():
        # A layer with smaller pages holds more tokens in one: pages of all groups have one size.
        tokens_of = block * int(widest // wide) if kind != "state" and wide else block
        groups += [Group(kind, tokens_of, window)] * ceil(many / size)
    return Pool(size * page, tuple(groups), storage, whole)


def _whole(cache: Cache) -> Cache:
    return (
        Cache("full", cache.heads, cache.key, cache.value) if cache.kind in ("sliding", "chunked") else cache
    )

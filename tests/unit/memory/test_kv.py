"""The KV cache in blocks: exact hits of engines' own start-up lines (quotes: scripts/accuracy/memory_points.jsonl)."""

from __future__ import annotations

import pytest

from llmdeploy.catalog.configs import config
from llmdeploy.memory.architecture import shape
from llmdeploy.memory.kv import Storage, pool, state_bytes, token_bytes
from llmdeploy.memory.shape import Cache, Shape
from llmdeploy.memory.weights import GIB

FULL, WINDOW = Cache("full", 8, 128, 128), Cache("sliding", 8, 128, 128, window=1024)


def known(name: str) -> Shape:
    stated = config(name)
    assert stated is not None
    return shape(stated.config)


def caches(made: Shape) -> list[Cache]:
    return [layer.cache for layer in made.layers if layer.cache is not None]


def test_a_state_as_large_as_a_block_of_2096_tokens_makes_blocks_of_2096_tokens() -> None:
    """Qwen3.6-35B-A3B with an fp8 cache: 2,146,304 bytes are 2,096 tokens of 1,024 bytes."""
    made = known("nvidia/Qwen3.6-35B-A3B-NVFP4")
    storage = Storage(element=1.0)
    state = next(cache for cache in caches(made) if cache.kind == "state")
    held = pool(caches(made), 1, storage)
    assert state_bytes(state, 1, storage) == 2_146_304
    assert held.block == 2096
    assert [group.kind for group in held.groups] == ["full", "state", "state", "state"] or len(
        held.groups
    ) == 4


def test_two_blocks_of_states_for_each_group_where_prefixes_are_cached() -> None:
    """vLLM 0.24: 6.01 GiB, "4.35x" of 131,072 tokens, "569,878 tokens"."""
    held = pool(caches(known("nvidia/Qwen3.6-35B-A3B-NVFP4")), 1, Storage(element=1.0))
    blocks, need = int(6.01 * GIB // held.bytes_per_block), held.blocks_of(131072, 2 * 8192)
    assert (blocks, need) == (300, 63 + 6)
    assert int(blocks / need * 131072) == pytest.approx(569_878, abs=60)


def test_an_old_line_counts_the_blocks_of_one_group() -> None:
    """vLLM 0.17: 5.69 GiB, "148,816 tokens", "12.91x" of 32,768."""
    held = pool(caches(known("Qwen/Qwen3.5-35B-A3B")), 1, Storage(element=1.0))
    blocks = int(5.69 * GIB // held.bytes_per_block)
    assert blocks == 284
    assert blocks // len(held.groups) * held.block == 148_816
    assert round(blocks / held.blocks_of(32768, 2 * 2048), 2) == 12.91


def test_drafting_keeps_a_state_for_each_drafted_token_and_the_drafters_own_layer() -> None:
    """Qwen3.6-27B over two cards, three drafted tokens: 425 blocks of 179 are "2.37x" of 262,144, "622,408 tokens"."""
    made = known("nvidia/Qwen3.6-27B-NVFP4")
    drafting = [layer.cache for layer in made.drafter if layer.cache is not None]
    held = pool([*caches(made), *drafting], 2, Storage(element=1.0, drafted=3))
    assert (held.block, held.blocks_of(262144, 2 * 8192)) == (1600, 164 + 3 * 5)
    assert int(425 / 179 * 262144) == pytest.approx(622_408, abs=1)


def test_without_cached_prefixes_a_state_is_one_block() -> None:
    """The same model in another log: 565 blocks of 176 are "3.21x", "841,541 tokens"."""
    made = known("nvidia/Qwen3.6-27B-NVFP4")
    drafting = [layer.cache for layer in made.drafter if layer.cache is not None]
    held = pool([*caches(made), *drafting], 2, Storage(element=1.0, drafted=3, aligned_states=False))
    assert int(14.68 * GIB // held.bytes_per_block) == 565
    assert held.blocks_of(262144, 2 * 8192) == 164 + 3 * 4


def test_layers_with_a_window_are_grouped_by_the_fewer_kind() -> None:
    """Gemma 3 27B: 10 layers that see everything and 52 that do not are one group and six; "36,560 tokens", "4.46x"."""
    held = pool(caches(known("google/gemma-3-27b-it")), 1, Storage())
    assert len(held.groups) == 7
    blocks = int(19.53 * GIB // held.bytes_per_block)
    assert blocks // 7 * 16 == pytest.approx(36_560, abs=16)
    assert round(blocks / held.blocks_of(8192, 8192), 2) == 4.46


def test_a_window_reserves_what_is_in_flight() -> None:
    held = pool([FULL, *[WINDOW] * 5], 1, Storage())
    few, many = held.blocks_of(131072, 512), held.blocks_of(131072, 16384)
    assert few == 8192 + 5 * (96 + 1)
    assert many > few


def test_without_the_hybrid_manager_windows_keep_everything() -> None:
    split = pool([FULL, *[WINDOW] * 5], 1, Storage())
    whole = pool([FULL, *[WINDOW] * 5], 1, Storage(hybrid=False))
    assert len(whole.groups) == 1
    need = whole.blocks_of(131072, 8192) * whole.bytes_per_block
    assert need > 3 * split.blocks_of(131072, 8192) * split.bytes_per_block


def test_pages_of_larger_heads_hold_fewer_tokens() -> None:
    """Gemma 4: 512 × 4 heads beside 256 × 16: a block of the first has twice the tokens."""
    held = pool(caches(known("nvidia/Gemma-4-31B-IT-NVFP4")), 1, Storage())
    assert {group.kind: group.block for group in held.groups} == {"sliding": 16, "full": 32}


def test_a_group_is_padded_where_the_kinds_are_nearly_as_many() -> None:
    """gpt-oss with a drafter: 12 and 13 layers are two groups of 13, not 12 and one more."""
    held = pool([*[FULL] * 13, *[WINDOW] * 12], 1, Storage())
    assert len(held.groups) == 2
    assert held.bytes_per_block == 13 * 16 * token_bytes(FULL, 1, Storage())


@pytest.mark.parametrize(("tensor", "size"), [(1, 4096), (2, 2048), (8, 512), (16, 512)])
def test_a_kv_head_that_cannot_be_cut_is_repeated(tensor: int, size: int) -> None:
    assert token_bytes(FULL, tensor, Storage()) == size


@pytest.mark.parametrize("tensor", [1, 8])
def test_latent_attention_is_whole_on_every_rank(tensor: int) -> None:
    """Kimi K2: 61 × 576 × 2 bytes are 70,272; 46.80 GiB are "715,072 tokens"."""
    held = pool(caches(known("moonshotai/Kimi-K2-Instruct")), tensor, Storage())
    assert held.bytes_per_token == 70_272
    assert int(46.80 * GIB // held.bytes_per_block) * 16 == pytest.approx(715_072, rel=1e-4)


def test_deepseek_v2_lite_prints_its_tokens() -> None:
    held = pool(caches(known("deepseek-ai/DeepSeek-V2-Lite-Chat")), 1, Storage())
    assert held.bytes_per_token == 27 * 576 * 2


def test_an_indexer_keeps_132_bytes_more_of_every_token() -> None:
    plain, sparse = caches(known("deepseek-ai/DeepSeek-V3"))[0], caches(known("deepseek-ai/DeepSeek-V3.2"))[0]
    assert token_bytes(sparse, 8, Storage()) - token_bytes(plain, 8, Storage()) == 132


def test_a_format_of_latent_attention_has_its_own_size() -> None:
    latent = caches(known("deepseek-ai/DeepSeek-V3"))[0]
    assert token_bytes(latent, 8, Storage(element=1.0, latent=656.0)) == 656

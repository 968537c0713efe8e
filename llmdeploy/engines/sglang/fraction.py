"""The share of a card that SGLang takes for weights and KV cache where it is not told: what is left beside its reserves.

Source: SGLang 0.5.23, srt/arg_groups/memory_hook.py (handle_gpu_memory_settings, reserve_for_graph_mb,
adjust_mem_fraction_for_vlm) and cuda_graph_hook.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmdeploy.memory.config import Config
from llmdeploy.memory.model import Question
from llmdeploy.memory.stage import Read

if TYPE_CHECKING:
    from llmdeploy.engines.sglang.memory import Taken

_SIZES = (
    *range(4, 33, 4),
    *range(48, 257, 16),
    *range(288, 513, 32),
    *range(576, 1025, 64),
    *range(1280, 4097, 256),
)
"""Tokens of the prefill graphs up to 4096; a multiple of 512 beyond it (generate_prefill_cuda_graph_batch_sizes)."""
_CAPTURED = {
    *("Qwen3_5ForConditionalGeneration", "Qwen3_5MoeForConditionalGeneration"),
    "KimiK25ForConditionalGeneration",
}
"""Of the modelled architectures that see, those whose prefills are captured (configs/model_config.py,
multimodal_breakable_cuda_graph_supported_model_archs)."""
_BLIND = {"Gemma3ForConditionalGeneration", "Llama4ForConditionalGeneration"}
"""Those that see only with --enable-multimodal (the same file, mm_disabled_models)."""
_TOWER = 24 * 1024**2
"""Layers × width² of ViT-L/14, for which a share is made 5 % smaller; 10 % of that more or less for as much again."""


def own_share(question: Question, known: Read, taken: Taken) -> float:
    split = question.split
    reserved = taken.value("reserved_base") + taken.value("reserved_token") * max(taken.batch_tokens, 2048)
    reserved += split.tensor * split.pipeline / 8 * 1024
    reserved += taken.value("reserved_graph") * taken.graph_batch
    if taken.own.prefill_graphs and _captures_prefills(question):
        latent = known.shape.latent_heads is not None
        sizes = sum(size <= taken.batch_tokens for size in _SIZES) + max(taken.batch_tokens - 4096, 0) // 512
        reserved += taken.value("reserved_latent") if latent else taken.value("reserved_prefill") * sizes
    reserved = max(reserved, taken.value("reserved_least"))
    return round(1 - reserved / (question.card.memory_gib * 1024), 3) * _beside_tower(question)


def _captures_prefills(question: Question) -> bool:
    split, names = question.split, Config(question.model.config).architectures
    alone = split.pipeline == 1 and split.decode_context == 1 and question.card.vendor == "nvidia"
    return alone and not question.eager and (_tower(question) is None or not _CAPTURED.isdisjoint(names))


def _tower(question: Question) -> Mapping[str, Any] | None:
    """Return the `vision_config` of a model that sees images."""
    config = Config(question.model.config)
    seen, names = config.mapping("vision_config"), config.architectures
    told = (question.options or {}).get("enable-multimodal") is True
    return seen if seen and (told or _BLIND.isdisjoint(names)) else None


def _beside_tower(question: Question) -> float:
    """Return what is left of a share beside a vision tower."""
    seen = _tower(question)
    if seen is None:
        return 1.0
    layers, width = seen.get("num_hidden_layers", 24), seen.get("hidden_size", 1024)
    if not isinstance(layers, int) or not isinstance(width, int):
        return 0.95
    return 0.95 * max(0.8, min(1.05, 1.0 - 0.1 * (layers * width**2 / _TOWER - 1.0)))

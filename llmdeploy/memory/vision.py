"""Vision towers: what an image goes through before the language model sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llmdeploy.memory.config import Config
from llmdeploy.memory.shape import Part

_GATED = ("pixtral", "qwen2_5_vl", "gemma4_vision", "mistral3")
"""Towers whose MLP has a gate, by their own model_type (transformers 5.19, modeling_*.py)."""

SIZES = ("hidden_size", "vt_hidden_size", "embed_dim")
LAYERS = ("num_hidden_layers", "vt_num_hidden_layers", "depth")


def tower(stated: Mapping[str, Any], hidden: int, family: str) -> tuple[tuple[Part, ...], int]:
    """Return the parts of a `vision_config`, and its heads, which tensor parallelism cuts."""
    config = Config(stated)
    kind = str(stated.get("model_type", ""))
    size = config.number(*SIZES, default=0)
    layers = config.number(*LAYERS, default=0)
    if not size or not layers:
        return (), 0
    inner = config.number("intermediate_size", "vt_intermediate_size", default=4 * size)
    heads = config.number("num_attention_heads", "vt_num_attention_heads", "num_heads", default=16)
    attended = config.number("qkv_hidden_size", default=size)
    gated = config.flag("gated", default=any(kind.startswith(name) for name in _GATED))
    patch = config.number("patch_size", default=14)
    times = config.number("temporal_patch_size", default=1)
    parts = [
        Part("vision.attn.qkv", 3 * attended, size, "out", layers),
        Part("vision.attn.proj", size, attended, "in", layers),
        Part("vision.mlp.up", inner * (2 if gated else 1), size, "out", layers),
        Part("vision.mlp.down", size, inner, "in", layers),
        Part("vision.norms", 4 * size, 1, count=layers),
        Part("vision.patch_embed", size, 3 * patch * patch * times),
        Part("vision.positions", size, _positions(config, kind)),
    ]
    return (*parts, *_projector(config, kind, family, size, hidden)), heads


def _positions(config: Config, kind: str) -> int:
    if kind == "gemma4_vision":
        return 2 * config.number("position_embedding_size", default=10240)
    if config.get("init_pos_emb_height") is not None:
        return config.number("init_pos_emb_height") * config.number("init_pos_emb_width", default=64)
    if (stated := config.number("num_position_embeddings", default=0)) > 0:
        return stated
    image, patch = config.number("image_size", default=0), config.number("patch_size", default=14) or 14
    return (image // patch) ** 2 if kind.startswith(("siglip", "clip")) else 0


def _projector(config: Config, kind: str, family: str, size: int, hidden: int) -> tuple[Part, ...]:
    """Return what joins the tower to the language model."""
    if family in ("qwen-vl", "qwen3.5") or kind.startswith("qwen"):
        merged = size * config.number("spatial_merge_size", default=2) ** 2
        many = 1 + len(config.sequence("deepstack_visual_indexes") or [0, 0, 0] * ("qwen3_vl" in kind))
        return (
            Part("vision.merger.fc1", merged, merged, "out", many),
            Part("vision.merger.fc2", hidden, merged, "in", many),
        )
    if family == "kimi":
        return (
            Part("projector.1", 4 * size, 4 * size, "none"),
            Part("projector.2", hidden, 4 * size, "none"),
        )
    if family == "mistral":
        return (
            Part("projector.merge", size, 4 * size),
            Part("projector.1", hidden, size, "out"),
            Part("projector.2", hidden, hidden, "in"),
        )
    if family == "llama4":
        out = config.number("vision_output_dim", "projector_output_dim", default=4096)
        wide = config.number("projector_input_dim", default=4096)
        merged = int(size / config.real("pixel_shuffle_ratio", default=0.5) ** 2)
        return (
            Part("projector.1", wide, merged, "out"),
            Part("projector.2", out, wide, "in"),
            Part("projector.3", hidden, out),
        )
    if family == "llava":
        return (Part("projector.1", hidden, size, "out"), Part("projector.2", hidden, hidden, "in"))
    return (Part("projector", hidden, size),)

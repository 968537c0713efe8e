"""What vLLM's profile takes where a model sees: one run of the vision tower over the largest items, and what it leaves behind.

Source: vLLM 0.33, v1/worker/gpu_model_runner.py (profile_run), multimodal/encoder_budget.py (MultiModalBudget) and
model_executor/models/qwen3_vl.py and qwen2_5_vl.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmdeploy.memory.model import Line, Question
from llmdeploy.memory.stage import CPU, Read
from llmdeploy.memory.weights import GIB

if TYPE_CHECKING:
    from llmdeploy.engines.vllm.memory import Taken

_KINDS = {
    "Qwen2VL": "qwen2-tower",
    "Qwen2_5_VL": "qwen2-tower",
    "Qwen3VL": "qwen3-tower",
    "Qwen3_5": "qwen3-tower",
}
"""Beginnings of architectures whose towers take images as large as they are, and the trait for it."""


def kind(architectures: tuple[str, ...]) -> frozenset[str]:
    """Return the trait of a tower whose largest item is known."""
    return frozenset(
        trait for name in architectures for start, trait in _KINDS.items() if name.startswith(start)
    )


def seen(question: Question, known: Read, taken: Taken, beside_gib: float) -> Line:
    """Return what the tower adds to the peak of the language model, `beside_gib`, that runs after it.

    Meanwhile the tower's output is kept; its own peak counts where that is more than both.
    """
    items = _largest(question, taken)
    if not items or question.card.vendor == CPU:
        return Line("activation", taken.value("vision"), "the vision tower, over the largest item [M]")
    item, tokens = max(items.items(), key=lambda each: each[1])
    count = max(max(taken.batch_tokens, tokens) // tokens, 1)
    own, kept = _peak(question, known, taken, count * tokens)
    what = f"{count} {item}{'s' * (count > 1)} of {tokens:,} tokens at once, as the profile has it"
    return Line("activation", max(kept, own - beside_gib), f"the vision tower, beside these: {what} [A]")


def _largest(question: Question, taken: Taken) -> dict[str, int]:
    """Return the tokens of the largest item of each kind that a prompt may have."""
    if not taken.traits & frozenset(_KINDS.values()):
        return {}
    image, frames = int(taken.value("image_tokens")), int(taken.value("video_images"))
    # A video has as many frames as the context holds of the largest image, two for each one's tokens (Qwen2VLProcessingInfo).
    video = (
        image * max(min(frames, taken.context // image), 1) if frames else int(taken.value("video_tokens"))
    )
    found = {"image": image, "video": video}
    stated = question.items or {}
    return {item: tokens for item, tokens in found.items() if stated.get(item, 1)}


def _peak(question: Question, known: Read, taken: Taken, tokens: int) -> tuple[float, float]:
    """Return the GiB of a block at its widest, beside the patches themselves, and of what the tower gives back."""
    parts = {part.module: part for part in known.shape.vision}
    qkv, up, down, merger = (
        parts[f"vision.{name}"] for name in ("attn.qkv", "mlp.up", "mlp.down", "merger.fc1")
    )
    ranks = 1 if taken.own.whole_tower else question.split.tensor
    size, patches = qkv.into, tokens * (merger.into // qkv.into)
    # Attention: queries, keys and values, the first two again before and after rope, and the output.
    block = 2 * size + max(8 * qkv.out // 3, up.out + down.into) / ranks
    each = block + size + parts["vision.patch_embed"].into  # positions, and the pixels
    output = tokens * known.shape.hidden * known.width
    return (patches * each * known.width + (merger.count - 1) * output) / GIB, merger.count * output / GIB

"""The bytes of the weights on each rank, from the headers of the checkpoint: what is there is there, in its own dtype."""

from __future__ import annotations

import re
from collections.abc import Mapping

from llmdeploy.memory.model import Line, Split, Tensor
from llmdeploy.memory.shape import Along, Shape
from llmdeploy.memory.weights import GIB, Loading, beside, rows

_BYTES = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "I64": 8,
    "I32": 4,
    "U32": 4,
    "I16": 2,
    "U16": 2,
    "F4": 0.5,
}
_OUT = r"q_proj|q_b_proj|kv_b_proj|qkv_proj|gate_proj|up_proj|gate_up_proj|fc1|w1|w3|in_proj\w*|conv1d|query_key_value|c_attn|c_fc|dense_h_to_4h|Wqkv|A_log|dt_bias|D|sinks|up|qkv"
_IN = r"o_proj|out_proj|down_proj|fc2|w2|dense|dense_4h_to_h|c_proj"
_ALONG: tuple[tuple[re.Pattern[str], Along], ...] = (
    (re.compile(r"(^|\.)(k_proj|v_proj)(\.|$)"), "heads"),
    (re.compile(rf"(^|\.)({_OUT})(_blocks|_scales|_bias)?(\.|$)"), "out"),
    (re.compile(rf"(^|\.)({_IN})(_blocks|_scales|_bias)?(\.|$)"), "in"),
    (re.compile(r"(^|\.)(embed_tokens|lm_head|word_embeddings|wte|output)(\.|$)"), "vocab"),
)
"""How the modules of checkpoints are cut (vLLM 0.33, the parallel layers of model_executor/models)."""
LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.(\d+)\.")
TOWER = re.compile(
    r"(^|\.)(visual|vision\w*|mm_projector|multi_modal_projector|embed_vision|audio\w*|embed_audio)(\.|$)"
)
_KEPT = re.compile(r"(scale|zero|g_idx|A_log|dt_bias|e_score_correction_bias|qweight)")


def weigh_headers(
    tensors: Mapping[str, Tensor], shape: Shape, loading: Loading, split: Split, layers: range
) -> tuple[Line, ...]:
    """Return the lines of one rank of a stage."""
    first, last = layers.start == 0, layers.stop == len(shape.layers)
    sums = {"layers": 0.0, "experts": 0.0, "ends": 0.0, "tower": 0.0, "drafter": 0.0}
    for name, tensor in tensors.items():
        kind = _kind(name, shape, layers, first, last, loading)
        if kind is not None:
            sums[kind] += _size(name, tensor, shape, loading, split)
    rules = {
        "layers": "attention, MLPs and norms",
        "experts": f"{shape.moe.experts if shape.moe else 0} experts a layer",
        "ends": "embedding and output layer",
        "tower": "the vision tower, and what joins it to the language model",
        "drafter": "the layers of multi-token prediction, which draft",
    }
    cut = f", 1/{split.tensor} of each" if split.tensor > 1 else ""
    lines = [
        Line("weights", size / GIB, f"{rules[kind]}: the checkpoint's own headers{cut}")
        for kind, size in sums.items()
        if size
    ]
    return (*lines, *beside(shape, loading, split, layers))


def _kind(name: str, shape: Shape, layers: range, first: bool, last: bool, loading: Loading) -> str | None:
    """Return the line that a tensor belongs to; None where this rank does not load it."""
    if TOWER.search(name):
        return "tower" if loading.tower and first else None
    found = LAYER.search(name)
    if "mtp." in name or (found is not None and int(found[1]) >= len(shape.layers)):
        return "drafter" if loading.drafting and last else None
    if found is not None:
        if int(found[1]) not in layers:
            return None
        return "experts" if ".experts." in name else "layers"
    if "lm_head" in name or name.startswith("output."):
        return "ends" if last and shape.head is not None else None
    if "embed" in name or "wte" in name or "word_embeddings" in name:
        return "ends" if first or (last and shape.head is None) else None
    return "ends" if last else None


def _size(name: str, tensor: Tensor, shape: Shape, loading: Loading, split: Split) -> float:
    """Return a rank's bytes of it. Floating weights take the dtype that the engine runs in, whatever they are stored in."""
    many = 1
    for size in tensor.shape:
        many *= size
    width = float(_BYTES.get(tensor.dtype, 1))
    if tensor.dtype in ("F32", "F16", "BF16", "F64") and not _KEPT.search(name):
        width = loading.width
    return many * width * _share(name, tensor, shape, loading, split)


def _share(name: str, tensor: Tensor, shape: Shape, loading: Loading, split: Split) -> float:
    if loading.whole_tower and TOWER.search(name):
        return 1.0
    expert = ".experts." in name
    if expert and loading.whole_experts:
        return 1 / loading.expert_ranks
    ranks = loading.expert_ranks if expert else split.tensor
    along = next((along for pattern, along in _ALONG if pattern.search(name)), "none")
    if along == "vocab":
        return rows(tensor.shape[0], loading, ranks, head="lm_head" in name) / tensor.shape[0]
    if along == "none" or ranks == 1:
        return 1.0
    if along == "heads" and not expert:
        return max(shape.kv_heads, ranks) / shape.kv_heads / ranks
    if along == "in" and len(tensor.shape) < 2:
        return 1.0  # a bias of the outputs, or one scale
    return 1.0 if tensor.shape in ((), (1,)) else 1 / ranks

"""How a model is split over GPUs, and what of it does not divide."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from llmdeploy.catalog import ModelFacts
from llmdeploy.engines.limits import Limits
from llmdeploy.spec.model import Model


def tensor_size(model: Model) -> int:
    """Return the tensor-parallel size, stated or what is left of the GPUs; 0 where nothing divides."""
    others = model.parallel.pipeline * model.parallel.data
    if model.parallel.tensor is not None:
        return model.parallel.tensor
    return model.gpus.count // others if model.gpus.count % others == 0 else 0


def divides(facts: ModelFacts, limits: Limits, size: int, *, spread: bool = False) -> bool:
    """Tell whether a model shards over `size` GPUs, its groups of quantized weights included."""
    return not any(obstacles(facts, limits, size, spread=spread)) and not any(
        broken_groups(facts, size, spread=spread)
    )


def obstacles(facts: ModelFacts, limits: Limits, size: int, *, spread: bool) -> Iterator[str]:
    """Yield what does not divide over `size` GPUs. `spread`: experts are handed out whole."""
    if size == 1:
        return
    if facts.heads is not None and facts.heads % size:
        yield f"{facts.heads} attention heads"
    kv = facts.kv_heads or facts.heads
    # Latent attention keeps no KV heads: its one vector is on every GPU.
    copied = limits.kv_heads == "copied" and kv is not None and size % kv == 0
    if kv is not None and facts.kv_lora_rank is None and kv % size and not copied:
        yield f"{kv} KV heads"
    if facts.vocab is not None and limits.vocabulary is not None:
        padded = ceil(facts.vocab / limits.vocabulary) * limits.vocabulary
        if padded % size:
            yield f"a vocabulary of {padded}"
    mlp = _mlp(facts, spread)
    # The engines pad MXFP4 experts to whole tiles first.
    if mlp is not None and mlp % size and facts.quantization != "mxfp4":
        yield f"{mlp} intermediate features"


def broken_groups(facts: ModelFacts, size: int, *, spread: bool) -> Iterator[tuple[str, int, int]]:
    """Yield (layer, features of a shard, group) where a shard would end within a group of quantized weights.

    vLLM: distributed/utils.py (verify_group_size_divides_partition) and layers/quantization/utils/fp8_utils.py
    (validate_fp8_block_shape, validate_fp8_block_shape_moe); SGLang has the same in layers/quantization.
    """
    group, block = facts.quantization_group, facts.quantization_block
    width = facts.head_dim or (
        facts.hidden_size // facts.heads if facts.hidden_size and facts.heads else None
    )
    attention = facts.heads * width if facts.heads and width and facts.kv_lora_rank is None else None
    for layer, features in (("attention", attention), ("MLP", _mlp(facts, spread))):
        if size == 1 or features is None or features % size:
            continue
        for unit in {group} if group else set(block or ()):
            if features // size % unit:
                yield layer, features // size, unit


def _mlp(facts: ModelFacts, spread: bool) -> int | None:
    """Return the inner size of the MLP that is split; of a mixture, that of its experts."""
    if facts.experts:
        return None if spread else facts.moe_intermediate_size
    return facts.intermediate_size

"""hf-mem (PyPI) on the same configurations: how many bytes it gives a KV cache of the tokens that were observed."""

from __future__ import annotations

from typing import Any

from hf_mem.safetensors.kv_cache import compute_safetensors_kv_cache_size

from llmdeploy.memory.config import Config
from llmdeploy.memory.model import Question

IS_GIVEN = (
    "hf-mem predicts no engine's cache: it is given the tokens that were observed, config.json and the dtype of the cache, and "
    "its bytes are divided by the tensor- and pipeline-parallel ranks"
)


def of_hf_mem(asked: Question | None, tokens: int | None) -> float | None:
    """Return GiB of one rank; None where the point has no tokens, or hf-mem no answer."""
    if asked is None or not tokens:
        return None
    read = Config(asked.model.config)
    config: dict[str, Any] = {**read.whole, **read.text}
    width = "F8_E4M3" if asked.kv_dtype.startswith("fp8") else "F32" if asked.dtype == "float32" else "BF16"
    try:
        size = compute_safetensors_kv_cache_size(config, width, tokens)
    except (KeyError, TypeError):
        return None
    return round(size / (asked.split.tensor * asked.split.pipeline) / (1 << 30), 3)

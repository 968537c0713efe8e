"""Rotary positions: how far a model reaches, and the tables of sines and cosines that every rank holds.

Source: vLLM 0.33, model_executor/layers/rotary_embedding (base.py, linear_scaling_rope.py, yarn_scaling_rope.py), and
config/model.py, _get_and_verify_max_len.
"""

from __future__ import annotations

from math import isfinite

from llmdeploy.memory.config import Config, mapping
from llmdeploy.memory.errors import UnmodelledError

_COUNTED_IN = ("default", "llama3", "longrope", "su", "mrope", "proportional")
"""Kinds whose max_position_embeddings is the scaled length already."""
_LONGEST = 1 << 30


def context(config: Config) -> int | None:
    """Return the longest context that engines derive."""
    stated = config.number("max_position_embeddings", "n_positions", "max_sequence_length", default=0)
    if not stated or "gemma3" in str(config.get("model_type")) or "Gemma3" in str(config.architectures):
        return stated or None
    kind, factor, start = _scaling(config)
    if kind in _COUNTED_IN or factor is None:
        return stated
    return _stretched(start if kind == "yarn" and start else stated, factor)


def elements(config: Config, head: int) -> int:
    """Return the elements of all tables; a model whose layers look through windows has a second, unscaled one."""
    stated = config.number("max_position_embeddings", default=0)
    size = config.number("qk_rope_head_dim", "rotary_dim", default=0)
    size = size or int(head * config.real("partial_rotary_factor", default=1.0))
    kind, factor, start = _scaling(config)
    rows = stated
    if factor is not None and kind in ("linear", "yarn", "dynamic"):
        rows = max(stated, _stretched(start or stated, factor))
    names = str(config.architectures)
    if "Gemma4" in names:  # the layers that see everything have larger heads
        return stated * (size + config.number("global_head_dim", default=size))
    return rows * size + (stated * size if "Gemma3" in names else 0)


def _stretched(positions: int, factor: float) -> int:
    length = positions * factor
    if not isfinite(length) or not 1 <= length <= _LONGEST:
        raise UnmodelledError(
            "config", f"a rope `factor` of {factor:g} makes no length of {positions} positions"
        )
    return int(length)


def _scaling(config: Config) -> tuple[str, float | None, int | None]:
    scaling = config.mapping("rope_scaling") or config.mapping("rope_parameters")
    scaling = mapping(scaling.get("full_attention", scaling))
    kind = str(scaling.get("rope_type", scaling.get("type", "default")))
    factor = scaling.get("factor")
    start = scaling.get("original_max_position_embeddings")
    if not isinstance(factor, (int, float)) or isinstance(factor, bool) or not factor > 0:
        factor = None
    return kind, None if factor is None else float(factor), start if isinstance(start, int) else None

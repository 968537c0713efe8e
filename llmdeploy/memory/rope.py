"""Rotary positions: how far a model reaches, and the tables of sines and cosines that every rank holds.

Source: vLLM 0.33, model_executor/layers/rotary_embedding (base.py, linear_scaling_rope.py, yarn_scaling_rope.py), and
config/model.py, _get_and_verify_max_len.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from llmdeploy.memory.config import Config, mapping
from llmdeploy.memory.errors import UnmodelledError

_COUNTED_IN = (
    *("su", "longrope", "llama3"),
    *("yarn", "deepseek_yarn", "deepseek_llama_scaling", "telechat3-yarn"),
)
"""Kinds whose max_position_embeddings is the scaled length already. Of YaRN that is so for SGLang, and for vLLM since 0.30
(vllm-project/vllm#56446); before, it counted from where YaRN starts, which comes to the same in the configs of the Hub."""
_LONGEST = 1 << 30


def context(config: Config) -> int | None:
    """Return the longest context that engines derive; None where config.json states none."""
    stated = config.number("max_position_embeddings", "n_positions", "max_sequence_length", default=0)
    kind, factor, _ = _scaling(config)
    if not stated or factor is None or kind in _COUNTED_IN or _is_gemma3(config):
        return stated or None
    return _times(stated, factor)


def unscaled(config: Config) -> int | None:
    """Return the length before a LongRoPE, where config.json states it beside: vLLM takes that while no context is stated.

    Source: vLLM 0.33, config/model.py, _get_and_verify_max_len.
    """
    if _scaling(config)[0] not in ("longrope", "su"):
        return None
    return config.number("original_max_position_embeddings", default=0) or None


def stretched(config: Config) -> int | None:
    """Return the length that a YaRN is made for, whatever max_position_embeddings says of it."""
    kind, factor, start = _scaling(config)
    return _times(start, factor) if kind == "yarn" and factor is not None and start is not None else None


def _is_gemma3(config: Config) -> bool:
    """Gemma 3 states the scaled length, whatever its factor."""
    return "gemma3" in str(config.get("model_type")) or "Gemma3" in str(config.architectures)


def elements(config: Config, head: int) -> int:
    """Return the elements of all tables; a model whose layers look through windows has a second, unscaled one."""
    stated = config.number("max_position_embeddings", default=0)
    size = config.number("qk_rope_head_dim", "rotary_dim", default=0)
    part = config.real("partial_rotary_factor", default=1.0)
    size = size or int(head * Config(_parameters(config)).real("partial_rotary_factor", default=part))
    kind, factor, start = _scaling(config)
    rows = stated
    if factor is not None and kind in ("linear", "yarn", "dynamic"):
        rows = max(stated, _times(start or stated, factor))
    names = str(config.architectures)
    if "Gemma4" in names:  # the layers that see everything have larger heads
        return stated * (size + config.number("global_head_dim", default=size))
    return rows * size + (stated * size if "Gemma3" in names else 0)


def _times(positions: int, factor: float) -> int:
    length = positions * factor
    if not isfinite(length) or not 1 <= length <= _LONGEST:
        raise UnmodelledError(
            "config", f"a rope `factor` of {factor:g} makes no length of {positions} positions"
        )
    return int(length)


def _parameters(config: Config) -> Mapping[str, Any]:
    """Return what is said of positions; of a model whose layers differ, of those that see everything."""
    stated = config.mapping("rope_scaling") or config.mapping("rope_parameters")
    return mapping(stated.get("full_attention", stated))


def _scaling(config: Config) -> tuple[str, float | None, int | None]:
    stated = _parameters(config)
    kind = str(stated.get("rope_type", stated.get("type", "default")))
    factor, start = stated.get("factor"), stated.get("original_max_position_embeddings")
    if not isinstance(factor, (int, float)) or isinstance(factor, bool) or not factor > 0:
        factor = None
    return kind, None if factor is None else float(factor), start if isinstance(start, int) else None

"""What `llmdeploy plan` says of the choices that GPU, checkpoint and engine make between them."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.catalog import ModelFacts
from llmdeploy.engines.limits import Limits
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.model import Why
from llmdeploy.spec.model import Model

BFLOAT16 = 80
"""Least compute capability (vLLM 0.33, platforms/cuda.py: check_if_supports_dtype)."""


def reasons(
    model: Model, facts: ModelFacts | None, limits: Limits, pool: Hardware, flag: str | None
) -> Iterator[Why]:
    """`flag` is what the engine is told about quantization."""
    stated = model.quantization
    if stated not in (None, "none") and flag != stated:
        because = f"the engine's word for `quantization: {stated}`"
        if flag is None:
            because = "the checkpoint itself says so; no flag is needed"
        yield Why("quantization", flag or stated or "", because)
    if model.dtype == "auto" and facts and facts.dtype == "bfloat16" and not has_bfloat16(pool):
        # vLLM 0.33, config/model.py (_resolve_auto_dtype): the first that GPU and model both take.
        narrow = facts.model_type not in limits.no_float16
        also = (
            ""
            if narrow
            else f", and `{facts.model_type}` is refused in float16: weights take twice the memory"
        )
        because = f"compute capability {pool.capability} has no bfloat16{also}"
        yield Why("dtype", "float16" if narrow else "float32", because)
    least = driver(limits, model, pool)
    if least is not None and limits.cuda is not None:
        yield Why("driver", f"R{least} or newer", f"the image has CUDA {limits.cuda.version}")


def driver(limits: Limits, model: Model, pool: Hardware) -> int | None:
    """Return the driver that the host needs, which llm.yaml cannot know; of the user's own image nobody can."""
    known = limits.cuda is not None and pool.vendor == "nvidia" and model.image is None
    return limits.cuda.driver if known and limits.cuda else None


def has_bfloat16(pool: Hardware) -> bool:
    return pool.vendor != "nvidia" or pool.sm is None or pool.sm >= BFLOAT16

"""What an engine takes by itself of a setting that llm.yaml may state."""

from __future__ import annotations

from typing import Literal

from msgspec.structs import replace

from llmdeploy.checks.context import Context
from llmdeploy.plan.placement import pool_of
from llmdeploy.plan.sizing import equation, question
from llmdeploy.plan.values import values_of

Setting = Literal["context", "concurrency", "batch_tokens"]


def default(context: Context, name: str, setting: Setting) -> int | None:
    """Return what a model's engine takes where nothing is said of a setting, and of the others what llm.yaml says.

    None where no equation knows it.
    """
    pool = context.pools[pool_of(context.spec, name) or ""]
    values = {**values_of(context, name, pool).values, setting: None}
    asked = question(context, name, values, pool)
    if asked is None:
        return None
    ledger = equation(context, name)(replace(asked, **{setting: None}))
    found: int | None = getattr(ledger, setting)
    return found

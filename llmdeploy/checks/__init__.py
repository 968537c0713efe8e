"""Rules of llm.yaml beyond its shape, one subject a file."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks import (
    accelerator,
    adapters,
    architecture,
    auto,
    calibration,
    checkpoint,
    credentials,
    drafting,
    dtype,
    files,
    gateway,
    hygiene,
    kv_cache,
    length,
    names,
    not_yet,
    parallelism,
    placement,
    quantization,
    references,
    remote_code,
    sources,
    task,
    unified,
    weights,
)
from llmdeploy.checks.context import Check, Context
from llmdeploy.diagnostics import Diagnostic

CHECKS: tuple[Check, ...] = (
    not_yet.check,
    names.check,
    references.check,
    credentials.check,
    files.check,
    weights.check,
    sources.check,
    task.check,
    auto.check,
    adapters.check,
    placement.check,
    accelerator.check,
    architecture.check,
    checkpoint.check,
    parallelism.check,
    length.check,
    quantization.check,
    dtype.check,
    kv_cache.check,
    drafting.check,
    remote_code.check,
    gateway.check,
    unified.check,
    hygiene.check,
    calibration.check,
)


def check(context: Context) -> Iterator[Diagnostic]:
    """Yield every finding of every rule."""
    for rule in CHECKS:
        yield from rule(context)

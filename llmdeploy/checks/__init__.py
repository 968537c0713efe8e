"""Rules of llm.yaml beyond its shape, one subject a file."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks import (
    adapters,
    credentials,
    files,
    fit,
    gateway,
    hygiene,
    names,
    not_yet,
    placement,
    references,
    sources,
    task,
)
from llmdeploy.checks.context import Check, Context
from llmdeploy.diagnostics import Diagnostic

CHECKS: tuple[Check, ...] = (
    not_yet.check,
    names.check,
    references.check,
    credentials.check,
    files.check,
    sources.check,
    task.check,
    adapters.check,
    placement.check,
    fit.check,
    gateway.check,
    hygiene.check,
)


def check(context: Context) -> Iterator[Diagnostic]:
    """Yield every finding of every rule."""
    for rule in CHECKS:
        yield from rule(context)

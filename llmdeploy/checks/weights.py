"""What is wrong with the weights that llm.yaml names, or with asking for them."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic
from llmdeploy.facts.sources import sources


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        for source in sources(context.spec, model):
            flaw = context.facts.flaws.get(source.key)
            if flaw is not None:
                yield Diagnostic(flaw.code, flaw.message, ("models", name, *source.below), flaw.help)

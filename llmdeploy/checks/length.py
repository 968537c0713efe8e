"""Is the model asked for no more tokens than it can handle?"""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.architecture import notes
from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        facts = context.model_facts(name)
        longest = facts.max_context if facts else None
        if model.context is not None and longest is not None and model.context > longest:
            yield Diagnostic(
                "LD305",
                f"`{name}` handles {longest} tokens at most, {model.context} are asked for",
                ("models", name, "context"),
                help=f"set `context: {longest}` or less, or leave it out",
                notes=notes(context, name, "max_position_embeddings"),
            )

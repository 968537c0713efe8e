"""What is asked of a model, and what only makes sense for the other task."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note, Place

_OF_GENERATION = ("tools", "reasoning", "speculative", "structured_output", "chat_template")


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        if model.task != "embed":
            continue
        for field in _OF_GENERATION:
            if field in model.model_fields_set:
                yield Diagnostic(
                    "LD106",
                    f"`{field}` is for models that generate text, and `{name}` embeds",
                    ("models", name, field),
                    help=f"remove `{field}`, or `task: embed`",
                    notes=(Note("`task` is set here", ("models", name, "task")),),
                    place=Place.KEY,
                )

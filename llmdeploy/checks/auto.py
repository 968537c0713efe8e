"""`engine: auto`, and what goes with it."""

from __future__ import annotations

from collections.abc import Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note, Place

_OF_ONE_ENGINE = {
    "engine_version": "a version is one engine's",
    "image": "an image is one engine's",
    "engine_args": "flags are one engine's",
}


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        if model.engine == "auto":
            findings = [*_words_of_an_engine(context, name), *_contradictions(context, name)]
            # What none can do may rest on what must go anyway.
            yield from findings or _none_will_do(context, name)
        elif model.needs is not None:
            yield Diagnostic(
                "LD518",
                f"`needs` chooses an engine where that is left open, and `{name}` runs on `{context.engine_of(name)}`",
                ("models", name, "needs"),
                help="remove it, or write `engine: auto`",
                place=Place.KEY,
            )


def _words_of_an_engine(context: Context, name: str) -> Iterator[Diagnostic]:
    model = context.spec.models[name]
    for field, reason in _OF_ONE_ENGINE.items():
        if field in model.model_fields_set:
            yield Diagnostic(
                "LD106",
                f"{reason}, and the engine of `{name}` is left open",
                ("models", name, field),
                help=f"name the engine, or remove `{field}`",
                notes=(Note("`engine: auto`", ("models", name, "engine")),),
                place=Place.KEY,
            )


def _contradictions(context: Context, name: str) -> Iterator[Diagnostic]:
    """A need that another field turns off."""
    model = context.spec.models[name]
    for need, field, is_on in (
        ("shared_prefixes", "prefix_caching", model.prefix_caching),
        ("structured_output", "structured_output", model.structured_output.is_on),
    ):
        if need in (model.needs or ()) and not is_on:
            yield Diagnostic(
                "LD106",
                f"`{name}` needs `{need}`, and `{field}` is off",
                ("models", name, field),
                help=f"remove `{field}: false`, or `{need}` from `needs`",
                notes=(Note("it is needed here", ("models", name, "needs")),),
            )


def _none_will_do(context: Context, name: str) -> Iterator[Diagnostic]:
    choice = context.choices.get(name)
    if choice is None or choice.engine is not None:
        return
    mendable = next((each for each in choice.passed if each.remedy), None)
    yield Diagnostic(
        "LD324",
        f"no maintained engine can do all that `{name}` asks for",
        ("models", name, "engine"),
        help=f"with `engine: {mendable.engine}`: {mendable.remedy}"
        if mendable
        else "give up what stands against one of them",
        notes=tuple(Note(f"`{each.engine}`: {each.reason}") for each in choice.passed),
    )

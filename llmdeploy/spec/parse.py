"""Plain data -> `Spec`, or everything that is wrong with its shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, Field, ValidationError, create_model
from pydantic_core import ErrorDetails

from llmdeploy.diagnostics import Diagnostic, Path
from llmdeploy.diagnostics.model import Place, has_errors
from llmdeploy.diagnostics.place import sort
from llmdeploy.source import Source
from llmdeploy.spec.lower import Lowering
from llmdeploy.spec.model import Core, Spec
from llmdeploy.spec.shape import Shape, at
from llmdeploy.spec.targets import Targets
from llmdeploy.spec.words import subject

_NONE: Mapping[str, type[BaseModel]] = MappingProxyType({})


def parse(
    source: Source, extra_targets: Mapping[str, type[BaseModel]] = _NONE
) -> tuple[Spec | None, list[Diagnostic]]:
    """Return the spec, or None and every error; notes come with either.

    `extra_targets` are the options of targets that other packages bring.
    """
    root = _root(tuple(sorted(extra_targets.items())))
    lowering = Lowering()
    data = lowering.lower(source.data, Shape(model=root))
    problems = [_null(path, root) for path in lowering.nulls]
    spec = None
    try:
        spec = _validated(data, root)
    except ValidationError as failure:
        for error in failure.errors(include_url=False):
            found = _diagnose(error, lowering, root)
            if not any(found.path[: len(path)] == path for path in lowering.nulls):
                problems.append(found)
    problems += _of_copies(data)
    # Under another version's rules everything else may be right.
    foreign = [d for d in problems if d.code == "LD107"]
    problems = sort(foreign or set(problems), source)
    return (None if has_errors(problems) else spec), problems


def _of_copies(data: Any) -> Iterator[Diagnostic]:
    """Yield what is to be said of a config.json that stands in the file."""
    models = data.get("models") if isinstance(data, dict) else None
    for name, model in models.items() if isinstance(models, dict) else ():
        stated = model.get("architecture") if isinstance(model, dict) else None
        if isinstance(stated, dict):
            from llmdeploy.spec.pasted import judge  # who states none does not pay for its tables

            yield from judge(stated, ("models", name, "architecture"))


def _validated(data: Any, root: type[Spec]) -> Spec:
    """Raise ValidationError for what does not fit."""
    if isinstance(data, dict) and "targets" in data:
        return root.model_validate(data)
    core = Core.model_validate(data)
    return root.model_construct(core.model_fields_set, **dict(core))


@cache
def _root(extra: tuple[tuple[str, type[BaseModel]], ...]) -> type[Spec]:
    """Return `Spec`, its `targets` widened by the options of further targets."""
    if not extra:
        return Spec
    options: dict[str, Any] = {name: (model | None, None) for name, model in extra}
    targets = create_model("Targets", __base__=Targets, **options)
    return create_model("Spec", __base__=Spec, targets=(targets, Field(targets())))


def _diagnose(error: ErrorDetails, lowering: Lowering, root: type[BaseModel]) -> Diagnostic:
    location: Path = error["loc"]
    in_key = location[-1:] == ("[key]",)  # pydantic's mark of an error in a key of the user
    from llmdeploy.spec.errors import translate

    path = lowering.written(location[:-1] if in_key else location)
    found = translate(error, path, root)
    if not in_key:
        return found
    return Diagnostic(found.code, found.message, path, found.help, place=Place.KEY)


def _null(path: Path, root: type[BaseModel]) -> Diagnostic:
    from llmdeploy.spec.errors import example, is_required

    shape = at(root, path)
    mapping = shape is not None and (shape.model is not None or shape.values is not None)
    if is_required(path, root):
        help = f"write `{path[-1]}: {example(path, root)}`"
    elif mapping:
        help = "write `{}` for its defaults, or leave the key out"
    else:
        help = "leave the key out for its default"
    return Diagnostic("LD103", f"`{subject(path)}` has no value", path, help)

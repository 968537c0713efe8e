"""The fields of llm.yaml, from the models of the spec."""

from __future__ import annotations

from collections.abc import Iterator

from effects.row import Path
from llmdeploy.spec import shape
from llmdeploy.spec.model import Spec

_WHOLE = shape.Shape(model=Spec)


def fields(place: shape.Shape = _WHOLE, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every field, with `*` for a name of the user's and for a position."""
    if place.model:
        for name, child in shape.fields(place.model).items():
            yield from fields(child, (*at, name))
    elif (inner := place.values or place.items) and inner.model:
        yield from fields(inner, (*at, "*"))
    else:
        yield at


def field_of(where: Path) -> tuple[str, ...]:
    """Return the field that a place belongs to."""
    place, names = _WHOLE, []
    for key in where:
        names.append("*" if place.model is None else str(key))
        child = place.child(key)
        assert child, where
        place = child
    return tuple(names)

"""What the models say of each place in llm.yaml: which keys it takes, and whether it has a short form."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from msgspec import Struct
from pydantic import BaseModel

from llmdeploy.diagnostics import Path
from llmdeploy.spec.forms import Short


class Shape(Struct, frozen=True):
    """One place. A mapping has `model` (fixed keys) or `values` (keys of the user), a list has `items`."""

    model: type[BaseModel] | None = None
    values: Shape | None = None
    items: Shape | None = None
    short: Short | None = None
    free: bool = False
    """Any JSON may stand here, null included."""

    @property
    def open(self) -> bool:
        """Further keys may stand here, and null behind any."""
        return self.model is not None and self.model.model_config.get("extra") == "allow"

    def child(self, key: str | int) -> Shape | None:
        if self.model:
            return fields(self.model).get(str(key))
        return self.items if isinstance(key, int) else self.values


def at(model: type[BaseModel], path: Path) -> Shape | None:
    """Return the shape of `path` below `model`, or None where the models know no such place."""
    shape: Shape | None = Shape(model=model)
    for key in path:
        shape = shape.child(key) if shape else None
    return shape


@cache
def fields(model: type[BaseModel]) -> Mapping[str, Shape]:
    """Return the keys of a mapping, as they are written in the file."""
    return {
        info.alias or name: _shape(info.annotation, tuple(info.metadata))
        for name, info in model.model_fields.items()
    }


def _shape(annotation: Any, metadata: tuple[Any, ...] = ()) -> Shape:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _shape(arguments[0], (*metadata, *arguments[1:]))
    if origin in (Union, UnionType):
        return _shape(next(a for a in arguments if a is not type(None)), metadata)
    if annotation is Any:
        return Shape(free=True)
    if origin is list:
        return Shape(items=_shape(arguments[0]))
    if origin is dict:
        return Shape(values=_shape(arguments[1]))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Shape(model=annotation, short=next((m for m in metadata if isinstance(m, Short)), None))
    return Shape()

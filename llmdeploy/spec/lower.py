"""Short forms -> long forms, and the explicit nulls that llm.yaml does not take."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from llmdeploy.diagnostics import Path
from llmdeploy.spec.shape import Shape


class Lowering(Struct):
    """Remembers where it has been, so that errors name the path that is in the file."""

    expanded: set[Path] = set()
    nulls: list[Path] = []

    def lower(self, value: Any, shape: Shape | None, path: Path = ()) -> Any:
        """Return `value` in long form. What does not fit its shape is left for pydantic to judge."""
        if shape is None or shape.free:
            return value
        if value is None:
            self.nulls.append(path)
        elif shape.short and shape.short.takes(value):
            self.expanded.add(path)
            return shape.short.expand(value)
        elif isinstance(value, dict):
            return {
                key: item if item is None and shape.open else self.lower(item, shape.child(key), (*path, key))
                for key, item in value.items()
            }
        elif isinstance(value, list):
            return [self.lower(item, shape.child(index), (*path, index)) for index, item in enumerate(value)]
        return value

    def written(self, path: Path) -> Path:
        """Return `path` without what an expansion has added to it."""
        for length in range(len(path)):
            if path[:length] in self.expanded:
                return path[:length]
        return path

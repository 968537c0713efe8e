"""Short forms: a shorter way to write a value, declared beside the field that takes it.

One declaration drives both the lowering and the `anyOf` of the published JSON Schema.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct
from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


class Short(Struct, frozen=True):
    """A value of one of `types` stands for `expand(value)`; `schema` says the same to an editor."""

    types: tuple[type, ...]
    expand: Callable[[Any], dict[str, Any]]
    schema: JsonSchemaValue

    def takes(self, value: Any) -> bool:
        """Tell whether `value` is in this short form. Python counts a boolean among the numbers; llm.yaml does not."""
        return isinstance(value, self.types) and isinstance(value, bool) is (bool in self.types)

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(core), self.schema]}


def constraint(on: Any) -> dict[str, Any]:
    """`structured_output: false` names no backend at all, `true` leaves it to the engine."""
    return {"backend": "auto" if on else "none"}


def source(text: Any) -> dict[str, Any]:
    """`./dir`, `../dir`, `/dir` and `~/dir` are directories; anything else is a Hub id."""
    written = str(getattr(text, "text", text))
    is_path = written in (".", "..", "~") or written.startswith(("./", "../", "/", "~/"))
    return {"path" if is_path else "hub": text}

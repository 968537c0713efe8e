"""JSON Schema to a document: what the router refuses is refused here, the rest is made, and checked.

The router turns a schema into a regular expression (outlines-core at rev ba10c61), keyword by keyword in a
fixed order, and reads neither `minimum` nor `maximum`: a real model may break those. This one does not, since
what it says is to be checked against the whole schema.
"""

from __future__ import annotations

import json
import math
from typing import Any

from support.tgi import regex

_FORMATS: dict[Any, str] = {
    "date-time": "2025-12-18T10:00:00Z",
    "date": "2025-12-18",
    "time": "10:00:00Z",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_KEYWORDS = ("properties", "allOf", "anyOf", "oneOf", "prefixItems", "enum", "const", "$ref", "type")
_DEEP = 8
_TEXT = "green"


class Bad(Exception):  # noqa: N818  said to the client
    """The router refuses the grammar; the text is its own."""


def document(schema: Any) -> str:
    """Return JSON that satisfies the schema. Raises Bad, or Unknown where the stand-in is at its end."""
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise Bad(f"grammar is not valid: {error.message}") from None
    if not isinstance(schema, dict) or "properties" not in schema:
        raise Bad("grammar is not valid: Grammar must have a 'properties' field")
    value = _Maker(schema).value(schema, 0)
    for fault in Draft202012Validator(schema).iter_errors(value):
        raise regex.Unknown(f"no document is made for this schema: {fault.message}")
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _uncompiled(text: str) -> Bad:
    return Bad(f"cannot compile regex from schema: {text}")


class _Maker:
    def __init__(self, whole: dict[str, Any]) -> None:
        self._whole = whole

    def value(self, schema: Any, depth: int) -> Any:
        """Return a value for a part of the schema, by the first keyword that outlines-core would take."""
        if not isinstance(schema, dict):
            raise _uncompiled("Invalid JSON Schema: expected an object")
        if depth > _DEEP:
            raise regex.Unknown("the schema is too deep")
        if not schema:
            return None
        match next((keyword for keyword in _KEYWORDS if keyword in schema), None):
            case "properties":
                return self._properties(schema, depth)
            case "anyOf" | "oneOf" as keyword:
                # All of them are compiled, one is said.
                said, *_ = (self.value(each, depth + 1) for each in schema[keyword])
                return said
            case "prefixItems":
                return [self.value(each, depth + 1) for each in schema["prefixItems"]]
            case "enum":
                said, *_ = (_scalar(each, "enum") for each in schema["enum"])
                return said
            case "const":
                return _scalar(schema["const"], "const")
            case "$ref":
                return self.value(self._target(schema["$ref"]), depth + 1)
            case "type":
                return self._typed(schema, depth)
            case "allOf":
                raise regex.Unknown("allOf is not understood")
        raise _uncompiled(f"Unsupported JSON Schema structure {json.dumps(schema)}")

    def _properties(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required", [])
        return {
            name: self.value(each, depth + 1)
            for name, each in schema["properties"].items()
            # Far down only what must be: a schema may contain itself.
            if depth < 2 or name in required
        }

    def _target(self, reference: str) -> Any:
        base, _, fragment = reference.rpartition("#")
        if base and base != self._whole.get("$id"):
            raise _uncompiled(f"External references are not supported: {reference}")
        found: Any = self._whole
        for part in filter(None, fragment.split("/")):
            if not isinstance(found, dict) or part not in found:
                raise _uncompiled(f"Invalid reference path: {part}")
            found = found[part]
        return found

    def _typed(self, schema: dict[str, Any], depth: int) -> Any:
        match schema["type"]:
            case "string":
                return _string(schema)
            case "integer" | "number" as kind:
                return _number(schema, whole=kind == "integer")
            case "boolean":
                return True
            case "null":
                return None
            case "array":
                item = self.value(schema["items"], depth + 1) if "items" in schema else None
                least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
                return [item] * min(max(least, 1), most)
            case "object":
                return self._object(schema, depth)
            case list():
                raise _uncompiled("'type' must be a string")
            case other:
                raise _uncompiled(f"Unsupported type: {other}")

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        inner = schema.get("additionalProperties", True)
        value = None if inner is True else self.value(inner, depth + 1)
        return {f"key{index}": value for index in range(schema.get("minProperties", 0))}


def _scalar(value: Any, where: str) -> Any:
    if isinstance(value, dict | list):
        raise _uncompiled(f"Unsupported data type in {where}: {json.dumps(value)}")
    return value


def _string(schema: dict[str, Any]) -> str:
    """Length wins over pattern, and pattern over format, as in outlines-core."""
    if "minLength" in schema or "maxLength" in schema:
        least, most = schema.get("minLength", 0), schema.get("maxLength", math.inf)
        if least > most:
            raise _uncompiled("maxLength must be greater than or equal to minLength")
        length = int(min(max(least, len(_TEXT)), most))
        return (_TEXT * (length // len(_TEXT) + 1))[:length]
    if "pattern" in schema:
        return regex.matching(schema["pattern"])
    if "format" in schema:
        if schema["format"] not in _FORMATS:
            raise _uncompiled(f"Format {schema['format']} is not supported by Outlines")
        return _FORMATS[schema["format"]]
    return _TEXT


def _number(schema: dict[str, Any], *, whole: bool) -> float:
    """Return the number nearest to 1 that is within the bounds; one with a fraction where no whole one is."""
    low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
    high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
    step = schema.get("multipleOf", 1)
    first = 1 if low <= 1 else math.ceil(low)
    first = math.floor(high) if first > high else first
    first = math.ceil(first / step) * step
    for candidate in (first, first + step, first - step):
        if low <= candidate <= high and not _excluded(schema, candidate):
            return int(candidate) if float(candidate).is_integer() else candidate
    if whole or math.isinf(low) or math.isinf(high):
        raise regex.Unknown("no number is made for these bounds")
    return float((low + high) / 2)


def _excluded(schema: dict[str, Any], value: float) -> bool:
    return value in (schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum"))

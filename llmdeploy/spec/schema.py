"""The JSON Schema of llm.yaml, for editors: `python -m llmdeploy.spec.schema > schemas/llm.schema.json`."""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import NullableSchema

from llmdeploy.spec.model import Spec


def json_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12): what `parse` accepts, as far as a schema can say it."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:llmdeploy:llm.yaml:1",
        "title": "llm.yaml",
        **_tidy(Spec.model_json_schema(schema_generator=_Generator)),
    }


def json_schema_text() -> str:
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


class _Generator(GenerateJsonSchema):
    def nullable_schema(self, schema: NullableSchema) -> JsonSchemaValue:
        """None in a model means that the key is absent; a null in the file is an error."""
        return self.generate_inner(schema["schema"])


def _tidy(value: Any) -> Any:
    """Drop what only says how the models are written, and close the mappings whose keys are names."""
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if not isinstance(value, dict):
        return value
    tidied = {key: _tidy(item) for key, item in value.items() if not _is_noise(key, item, value)}
    if "patternProperties" in tidied:
        tidied["additionalProperties"] = False
    return tidied


def _is_noise(key: str, item: Any, around: dict[str, Any]) -> bool:
    """Titles are the names of classes; the default of a section stands at each of its keys already."""
    return (
        item is None or (key == "title" and isinstance(item, str)) or (key == "default" and "$ref" in around)
    )


if __name__ == "__main__":
    sys.stdout.write(json_schema_text())

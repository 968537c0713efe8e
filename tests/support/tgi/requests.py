"""The bodies that the router takes: its structs, field by field."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from support.tgi.serde import (
    DataError,
    Field,
    anything,
    boolean,
    integer,
    number,
    option,
    sequence,
    string,
    struct,
    untagged,
)

_TYPES = ("json", "json_object", "regex", "json_schema")
_SCHEMA = struct("JsonSchemaConfig", name=option(string), schema=Field(anything))


@dataclass(frozen=True, slots=True)
class Grammar:
    """`value`: a schema, or the text of a regular expression."""

    kind: str
    value: Any


def grammar(value: Any, path: str) -> Grammar:
    """`{"type": …, "value": …}`. OpenAI's form has its schema under another name, so `value` is missing."""
    if not isinstance(value, dict):
        raise DataError("invalid type, expected adjacently tagged enum GrammarType", path)
    if "type" not in value:
        raise DataError("missing field `type`", path)
    kind = string(value["type"], path)
    if kind not in _TYPES:
        known = ", ".join(f"`{each}`" for each in _TYPES)
        raise DataError(f"unknown variant `{kind}`, expected one of {known}", path)
    if "value" not in value:
        raise DataError("missing field `value`", path)
    inner = value["value"]
    if kind == "regex":
        return Grammar("regex", string(inner, path))
    if kind == "json_schema":
        return Grammar("json_schema", _SCHEMA(inner, path).schema)
    return Grammar("json", inner)


_OFF = Field(boolean, False)
_SHARED = {
    "seed": option(integer("u64")),
    "temperature": option(number),
    "top_p": option(number),
    "frequency_penalty": option(number),
}

PARAMETERS = struct(
    "GenerateParameters",
    **_SHARED,
    best_of=option(integer("usize")),
    repetition_penalty=option(number),
    top_k=option(integer("i32")),
    typical_p=option(number),
    do_sample=_OFF,
    max_new_tokens=option(integer("u32")),
    return_full_text=option(boolean),
    stop=Field(sequence(string), list),
    truncate=option(integer("usize")),
    watermark=_OFF,
    details=_OFF,
    decoder_input_details=_OFF,
    top_n_tokens=option(integer("u32")),
    grammar=option(grammar),
    adapter_id=option(string),
)


def parameters(**given: Any) -> SimpleNamespace:
    """Return parameters with these, and nothing else, set."""
    return SimpleNamespace(**{**vars(PARAMETERS({}, "")), **given})


_GENERATE = {"inputs": Field(string), "parameters": Field(PARAMETERS, lambda: parameters(do_sample=True))}
GENERATE = struct("GenerateRequest", **_GENERATE)
COMPAT = struct("CompatGenerateRequest", **_GENERATE, stream=_OFF)


def _prompt(value: Any, path: str) -> list[str]:
    """One prompt or several."""
    if isinstance(value, str):
        return [value]
    try:
        prompts: list[str] = sequence(string)(value, path)
    except DataError:
        text = "data did not match any variant of untagged enum PromptDeserializer"
        raise DataError(text, path) from None
    if not prompts:
        raise DataError("Empty array detected. Do not use an empty array for the prompt.", path)
    return prompts


COMPLETION = struct(
    "CompletionRequest",
    **_SHARED,
    model=option(string),
    prompt=Field(_prompt),
    max_tokens=option(integer("u32")),
    stream=_OFF,
    suffix=option(string),
    repetition_penalty=option(number),
    stop=option(sequence(string)),
)


def _chunk(value: Any, path: str) -> str:
    """A part of a message, as the text that the template sees."""
    kind = value.get("type") if isinstance(value, dict) else None
    if kind == "text":
        return string(value.get("text"), path)
    if kind == "image_url":
        return f"![]({struct('Url', url=Field(string))(value.get('image_url'), path).url})"
    raise DataError("unknown variant, expected `text` or `image_url`", path)


_CONTENT = untagged("MessageContent", string, lambda value, path: "".join(sequence(_chunk)(value, path)))
_FUNCTION = struct(
    "FunctionDefinition",
    name=Field(string),
    description=option(string),
    arguments=Field(anything, alias="parameters"),
)
_CALL = struct("ToolCall", id=Field(string), type=Field(string), function=Field(_FUNCTION))
_BODY = untagged(
    "MessageBody",
    struct("Content", content=Field(_CONTENT)),
    struct("Tool", tool_calls=Field(sequence(_CALL))),
)


def _message(value: Any, path: str) -> tuple[str, str]:
    """Return role and text."""
    role = struct("Message", role=Field(string), name=option(string))(value, path).role
    return role, getattr(_BODY(value, path), "content", "")


def _tool_choice(value: Any, path: str) -> str:
    """`auto`, `none`, `required`, or the name of a function."""
    match value:
        case None:
            return "auto"
        case str():
            return value
        case {"type": "function", "function": {"name": str() as name}}:
            return name
    raise DataError("data did not match any variant of untagged enum ToolTypeDeserializer", path)


CHAT = struct(
    "ChatRequest",
    **_SHARED,
    model=option(string),
    messages=Field(sequence(_message)),
    logit_bias=option(sequence(number)),
    logprobs=option(boolean),
    top_logprobs=option(integer("u32")),
    max_tokens=Field(option(integer("u32")).kind, None, alias="max_completion_tokens"),
    n=option(integer("u32")),
    presence_penalty=option(number),
    stop=option(sequence(string)),
    stream=_OFF,
    tools=option(sequence(struct("Tool", type=Field(string), function=Field(_FUNCTION)))),
    tool_prompt=option(string),
    tool_choice=Field(_tool_choice, "auto"),
    response_format=option(grammar),
    # Not an Option: null is refused.
    stream_options=Field(
        struct("StreamOptions", include_usage=_OFF), lambda: SimpleNamespace(include_usage=False)
    ),
)

_INSTANCE = struct("GenerateVertexInstance", inputs=Field(string), parameters=option(PARAMETERS))
VERTEX = struct("VertexRequest", instances=Field(sequence(untagged("VertexInstance", _INSTANCE, CHAT))))

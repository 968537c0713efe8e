"""The stand-in for TGI refuses the requests that TGI 3.3.7 refuses, and keeps to a grammar."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate
from support import tgi
from support.tgi import regex
from support.tgi.grammar import Bad, document
from support.tgi.running import Running, started

from llmdeploy.runtime.http import Answer, Client
from llmdeploy.runtime.smoke.checks import SCHEMA

HELLO = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
PROMPT = "Describe a small plant."
JSON = {"type": "json", "value": SCHEMA}


def failed(answer: Answer) -> tuple[int, str]:
    return answer.status, (answer.json() or {}).get("error", "")


def test_a_body_must_be_json_and_say_so(running: Running) -> None:
    assert running.raw("POST", "/generate", "{}").status == 415
    assert running.raw("POST", "/generate", "{", Content_Type="application/json").status == 400
    long = json.dumps({"inputs": "x" * 6000})
    assert running.raw("POST", "/generate", long, Content_Type="application/json").status == 413


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("/generate", {}, "missing field `inputs` at line 1 column 2"),
        ("/generate", {"inputs": ["a"]}, "inputs: invalid type: sequence, expected a string"),
        ("/v1/chat/completions", {}, "missing field `messages`"),
        ("/v1/chat/completions", {"messages": [{"role": "user"}]}, "messages[0]: data did not match"),
        ("/v1/chat/completions", {**HELLO, "max_tokens": -1}, "invalid value: integer `-1`, expected u32"),
        ("/v1/chat/completions", {**HELLO, "max_completion_tokens": 1}, "duplicate field `max_tokens`"),
        (
            "/v1/chat/completions",
            {**HELLO, "stop": "x"},
            'stop: invalid type: string "x", expected a sequence',
        ),
        ("/v1/chat/completions", {**HELLO, "stream_options": None}, "null, expected struct StreamOptions"),
        ("/v1/completions", {"prompt": []}, "Empty array detected"),
        ("/invocations", {}, "data did not match any variant of untagged enum SagemakerRequest"),
    ],
)
def test_what_serde_cannot_read_is_refused(client: Client, path: str, body: Any, text: str) -> None:
    answer = client.post(path, body)
    assert answer.status == 422
    assert b"Failed to deserialize the JSON body into the target type: " in answer.body
    assert text in answer.body.decode()


FORMS = {
    "OpenAI's": {"type": "json_schema", "json_schema": {"name": "plant", "schema": SCHEMA, "strict": True}},
    "OpenAI's JSON mode": {"type": "json_object"},
    "text": {"type": "text"},
    "no type": {"value": SCHEMA},
    "a bare schema": {"type": "json_schema", "value": SCHEMA},
    "a pattern that is none": {"type": "regex", "value": 1},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_another_form_of_response_format_is_refused(client: Client, form: Any) -> None:
    assert client.post("/v1/chat/completions", {**HELLO, "response_format": form}).status == 422


@pytest.mark.parametrize("kind", ["json", "json_object", "json_schema", "text of json"])
def test_a_grammar_is_kept(client: Client, kind: str) -> None:
    value: Any = {"json_schema": {"name": "plant", "schema": SCHEMA}, "text of json": json.dumps(SCHEMA)}
    form = {"type": kind.split()[-1], "value": value.get(kind, SCHEMA)}
    body = {**HELLO, "max_tokens": 64, "response_format": form}
    choice = client.post("/v1/chat/completions", body).json()["choices"][0]
    validate(json.loads(choice["message"]["content"]), SCHEMA)
    assert choice["finish_reason"] == "stop"


def test_a_regular_expression_is_kept(client: Client) -> None:
    grammar = {"type": "regex", "value": "[0-9]{3}-(red|blue)"}
    answer = client.post("/generate", {"inputs": PROMPT, "parameters": {"grammar": grammar}})
    assert re.fullmatch(grammar["value"], answer.json()["generated_text"])
    grammar["value"] = "["
    assert client.post("/generate", {"inputs": PROMPT, "parameters": {"grammar": grammar}}).status == 424


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"properties": {"a": {"type": "nope"}}}, "grammar is not valid: "),
        ({"enum": ["a"]}, "grammar is not valid: Grammar must have a 'properties' field"),
        ({"properties": {"a": {"type": ["string", "null"]}}}, "'type' must be a string"),
        ({"properties": {"a": {"type": "string", "format": "email"}}}, "Format email is not supported"),
        ({"properties": {"a": {"const": {}}}}, "Unsupported data type in const"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}}, "Invalid reference path: $defs"),
    ],
)
def test_a_schema_that_tgi_cannot_use_is_refused(client: Client, schema: Any, text: str) -> None:
    body = {"inputs": PROMPT, "parameters": {"grammar": {"type": "json", "value": schema}}}
    status, error = failed(client.post("/generate", body))
    assert (status, text in error) == (422, True), error


def test_grammars_can_be_turned_off(tmp_path: Path) -> None:
    with started(tmp_path, DISABLE_GRAMMAR_SUPPORT="true") as it:
        answer = it.client().post("/v1/chat/completions", {**HELLO, "response_format": JSON})
    assert failed(answer) == (422, "Input validation error: grammar is not supported")


@pytest.mark.parametrize(
    ("inputs", "parameters", "text"),
    [
        ("", {}, "`inputs` cannot be empty"),
        ("a " * 60, {"max_new_tokens": 1}, "`inputs` must have less than 50 tokens. Given: "),
        (
            "a",
            {"max_new_tokens": 250},
            "`inputs` tokens + `max_new_tokens` must be <= 250. Given: 1 `inputs` ",
        ),
        ("a", {"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
        ("a", {"temperature": 0}, "`temperature` must be strictly positive"),
        ("a", {"top_p": 1}, "`top_p` must be > 0.0 and < 1.0"),
        ("a", {"stop": ["a"] * 5}, "`stop` supports up to 4 stop sequences. Given: 5"),
        ("a", {"best_of": 3, "do_sample": True}, "`best_of` must be > 0 and <= 2. Given: 3"),
        ("a", {"truncate": 51}, "`truncate` must be strictly positive and less than 50. Given: 51"),
    ],
)
def test_a_request_beyond_its_limits_is_refused(
    client: Client, inputs: str, parameters: Any, text: str
) -> None:
    status, error = failed(client.post("/generate", {"inputs": inputs, "parameters": parameters}))
    assert (status, error[: len(text) + 24]) == (422, f"Input validation error: {text}")


def test_a_stream_tells_its_error_inside(client: Client) -> None:
    """The status is 200 by then; OpenAI's stream is also ended as it should."""
    body = {"inputs": "a", "parameters": {"max_new_tokens": 0}}
    ((_, native),) = client.stream("/generate_stream", body)
    assert json.loads(native)["error_type"] == "validation"
    chat = {**HELLO, "max_tokens": 0, "stream": True}
    (_, error), (_, done) = client.stream("/v1/chat/completions", chat)
    assert (json.loads(error)["error"]["http_status_code"], done) == (422, "[DONE]")


def test_grammar_and_tools_exclude_each_other(client: Client) -> None:
    body = {**HELLO, "response_format": JSON, "tools": []}
    assert failed(client.post("/v1/chat/completions", body)) == (
        422,
        "Tool error: Grammar and tools are mutually exclusive",
    )


def test_a_chat_template_in_a_file_of_its_own_is_not_seen(tmp_path: Path) -> None:
    folder = tgi.model(tmp_path / "other")
    (folder / "tokenizer_config.json").write_text("{}")
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    with started(tmp_path, MODEL_ID=str(folder)) as it:
        answer = it.client().post("/v1/chat/completions", HELLO)
        assert failed(answer) == (422, "Template error: template not found")
        assert it.client().post("/generate", {"inputs": PROMPT}).status == 200


def test_more_requests_than_it_may_run_are_refused(tmp_path: Path) -> None:
    slow = {"inputs": "a", "parameters": {"max_new_tokens": 400}}
    with started(tmp_path, MAX_CONCURRENT_REQUESTS="1") as it:
        events = it.client().stream("/generate_stream", slow)
        next(events)
        assert failed(it.client().post("/generate", slow)) == (429, "Model is overloaded")
        events.close()


# Texts that keep to a grammar


@pytest.mark.parametrize(
    "inner",
    [
        {"enum": ["red", 1, None]},
        {"const": "x"},
        {"type": "integer", "minimum": -9, "maximum": -3},
        {"type": "integer", "exclusiveMinimum": 4, "multipleOf": 5},
        {"type": "number", "minimum": 0.2, "exclusiveMaximum": 0.4},
        {"type": "string", "minLength": 7, "maxLength": 9},
        {"type": "string", "maxLength": 2},
        {"type": "string", "pattern": "^[A-Z]{2}-\\d+$"},
        {"type": "string", "format": "uuid"},
        {"type": "boolean"},
        {"type": "null"},
        {"type": "array", "items": {"type": "integer"}, "minItems": 3},
        {"type": "array", "maxItems": 0},
        {"type": "object", "minProperties": 2, "additionalProperties": {"type": "boolean"}},
        {"properties": {"b": {"type": "string"}, "c": {}}, "required": ["b"]},
        {"anyOf": [{"type": "string"}, {"type": "null"}]},
        {"prefixItems": [{"type": "string"}, {"type": "integer"}], "type": "array"},
        {"$ref": "#"},
    ],
)
def test_a_document_satisfies_its_schema(inner: dict[str, Any]) -> None:
    schema = {"type": "object", "properties": {"a": inner}, "additionalProperties": False}
    validate(json.loads(document(schema)), schema)


def test_what_cannot_be_made_is_said() -> None:
    twice = {"type": "array", "items": {"const": 1}, "minItems": 2, "uniqueItems": True}
    with pytest.raises(regex.Unknown):
        document({"properties": {"a": twice}})
    with pytest.raises(Bad):
        document({"properties": {"a": {"not": {}}}})

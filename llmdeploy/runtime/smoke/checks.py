"""What is asked of a model. A check returns what it saw, or raises Fault with what is wrong.

The requests are those of the OpenAI API, and those that the plan knows an engine's own clients to send.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeGuard

from llmdeploy.plan.model import NativeRequest
from llmdeploy.runtime import logs
from llmdeploy.runtime.http import Answer, Rejected, Unreachable, parsed
from llmdeploy.runtime.smoke.model import Door, Outcome

CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"
# Bounded, so that a model of random weights ends as well. The question does not speak of JSON: a model that is
# not held to the schema answers in prose.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "colour": {"enum": ["red", "green", "blue"]},
        # Not by `minimum` and `maximum`, which TGI lets pass and does not enforce.
        "leaves": {"enum": [1, 2, 3, 4, 5, 6, 7, 8, 9]},
    },
    "required": ["colour", "leaves"],
    "additionalProperties": False,
}
_PROMPT = "Describe a small plant."
_OPENAI_FORM = {"type": "json_schema", "json_schema": {"name": "plant", "schema": "{schema}", "strict": True}}
# Qwen's and GLM's word for it, and DeepSeek's; a template that knows neither goes on thinking.
_NO_THINKING = {"enable_thinking": False, "thinking": False}
_DONE = "[DONE]"
# Tokens of one answer are further apart than this, those that waited in a buffer are not.
_APART_S = 0.0005
_FEW = 4
# Proxies buffer by the page: nginx's proxy_buffers are of 4 KiB or more, others' are larger. A burst of less on
# average comes of an engine that sends some tokens at once, or of a busy machine that wakes its reader late.
_BUFFER_BYTES = 3 << 10
# Until a busy moment of the machine has passed.
_PAUSES_S = (0.2, 0.5, 1, 2, 4, 4)

Check = Callable[[Door], str]


class Fault(Exception):  # noqa: N818  what is wrong with the deployment, not with us
    """A check does not hold; the text says what was seen instead."""


def ask(door: Door, *, keyed: bool) -> Iterator[Outcome]:
    """Put every check that fits to the door. `keyed`: the deployment asks for a key."""
    for name, check in _checks(door, keyed):
        start = time.monotonic()
        try:
            ok, detail = True, check(door)
        except (Fault, Unreachable) as fault:
            ok, detail = False, str(fault)
        # Some servers show what they were asked, the key too; and JSON can hold what no text can.
        detail = logs.masked(detail, [door.client.key or ""]).encode("utf-8", "replace").decode()
        yield Outcome(door.model, door.via, name, ok, detail, round(time.monotonic() - start, 3))


def _checks(door: Door, keyed: bool) -> Iterator[tuple[str, Check]]:
    if door.lets_through(door.probes.liveness.path):
        yield "live", live
    if door.lets_through(door.probes.readiness.path):
        yield "ready", ready
    yield "name", name
    yield from _of_generation(door) if door.service.task == "generate" else (("embed", embed),)
    if keyed:
        yield "key", key
    if door.endpoints is not None:
        yield "closed", closed


def _of_generation(door: Door) -> Iterator[tuple[str, Check]]:
    yield from (("chat", chat), ("stream", stream))
    if door.service.structured_output:
        yield "schema", schema
        for request in door.service.api.native:
            if door.lets_through(request.path):
                yield request.name, partial(native, request=request)
    for adapter, asked in door.service.adapter_names.items():
        yield f"adapter {adapter}", partial(chat, model=asked)


def live(door: Door) -> str:
    return _probe(door, door.probes.liveness.path)


def ready(door: Door) -> str:
    return _probe(door, door.probes.readiness.path)


def _probe(door: Door, path: str) -> str:
    _expect(200, door.client.get(path))
    return f"GET {path} is 200"


def name(door: Door) -> str:
    """Every name that llm.yaml promises is listed."""
    listing = _expect(200, door.client.get("/v1/models")).json()
    served = {str(model["id"]) for model in _items(listing, "data") if "id" in model}
    if served and not door.service.api.named:
        return f"answers to any name, and lists {_listed(sorted(served))}"
    missing = [wanted for wanted in door.served_names if wanted not in served]
    if missing:
        raise Fault(f"does not serve {_listed(missing)}, but {_listed(sorted(served)) or 'nothing'}")
    return f"serves {_listed(door.served_names)}"


def chat(door: Door, *, model: str | None = None) -> str:
    limit = 8
    question = _question(door, "Say hello.", max_tokens=limit)
    answer = _expect(200, door.client.post(CHAT, {**question, "model": model or question["model"]}))
    _content(answer)
    usage = answer.json().get("usage")
    tokens = usage.get("completion_tokens") if isinstance(usage, dict) else None
    if not isinstance(tokens, int) or not 1 <= tokens <= limit:
        raise Fault(f"was asked for 1 to {limit} tokens and counts {tokens!r}")
    return f"{tokens} tokens"


def embed(door: Door) -> str:
    """Two texts get a vector each, of one length, and not the same."""
    texts = ["a small plant", "the price of steel"]
    answer = _expect(200, door.client.post(EMBEDDINGS, _texts(door, texts)))
    found = [item.get("embedding") for item in _items(answer.json(), "data")]
    vectors = [vector for vector in found if _is_vector(vector)]
    lengths = {len(vector) for vector in vectors}
    if not len(found) == len(vectors) == len(texts) or len(lengths) != 1 or 0 in lengths:
        raise Fault(f"no two vectors of one length: {answer.excerpt()}")
    if vectors[0] == vectors[1]:
        raise Fault(f"`{texts[0]}` and `{texts[1]}` have the same vector")
    return f"{lengths.pop()} dimensions"


def _is_vector(value: Any) -> TypeGuard[list[float]]:
    return isinstance(value, list) and all(type(number) in (int, float) for number in value)


def stream(door: Door) -> str:
    """The answer comes in pieces, as they are made, and ends as the API says."""
    # A busy machine may hold back one answer, from us or from the engine; a buffer holds back all.
    for pause_s in (*_PAUSES_S, 0):
        pieces = _arrivals(door)
        times = [at for at, _ in pieces]
        bursts = _bursts(times)
        if bursts >= _FEW and sum(size for _, size in pieces) < bursts * _BUFFER_BYTES:
            return f"{len(times)} chunks in {times[-1] - times[0]:.2f} s"
        time.sleep(pause_s)
    raise Fault(f"the stream is buffered: {len(times)} chunks arrive in {bursts} bursts")


def _arrivals(door: Door) -> list[tuple[float, int]]:
    """Return when each chunk of a streamed answer came, and its bytes."""
    question = _question(door, "Count from one to forty, in words.", max_tokens=128)
    try:
        pieces = list(door.client.stream(CHAT, {**question, "stream": True}))
    except Rejected as rejected:
        raise Fault(f"no stream, but {rejected}") from None
    if not pieces or pieces[-1][1] != _DONE:
        last = pieces[-1][1][:80] if pieces else "nothing"
        raise Fault(f"the stream ends with {last!r} instead of {_DONE}")
    if any("choices" not in (_object(data) or {}) for _, data in pieces[:-1]):
        raise Fault("a piece of the stream is no chat completion chunk")
    return [(at, len(data.encode())) for at, data in pieces[:-1]]


def _bursts(times: list[float]) -> int:
    """Return how many groups of arrivals there are, with a pause before each."""
    return sum(at - before > _APART_S for before, at in zip([float("-inf"), *times], times, strict=False))


def schema(door: Door) -> str:
    """An answer that is held to a JSON Schema keeps it."""
    form = door.service.api.response_format or _OPENAI_FORM
    question = {**_question(door, _PROMPT, max_tokens=64), "response_format": _filled(form)}
    if door.service.reasons:
        question["chat_template_kwargs"] = _NO_THINKING
    content = _content(answer := _expect(200, door.client.post(CHAT, question)))
    if door.service.reasons and not content and _was_cut_off(answer):
        return "the model is still reasoning after 64 tokens, and no schema holds before it answers"
    return _keeps_schema(content, "response_format")


def native(door: Door, *, request: NativeRequest) -> str:
    """What the engine's own clients send is answered, and kept to the same schema."""
    found = _expect(200, answer := door.client.post(request.path, _filled(request.body))).json()
    for step in request.answer:
        try:
            found = found[step]
        except (TypeError, KeyError, IndexError):
            where = ".".join(map(str, request.answer))
            raise Fault(f"POST {request.path} has no text at {where}: {answer.excerpt()}") from None
    # TGI begins with the prompt where its client does not ask for the answer alone.
    return _keeps_schema(str(found).removeprefix(_PROMPT), f"the schema of POST {request.path}")


def _keeps_schema(text: str, asked: str) -> str:
    from jsonschema import Draft202012Validator

    try:
        value = json.loads(text)
    except ValueError:
        raise Fault(f"{asked} is not applied: the content is not JSON: {text[:80]!r}") from None
    for error in Draft202012Validator(SCHEMA).iter_errors(value):
        raise Fault(f"{asked} is not applied: {error.message}")
    return f"content is {json.dumps(value)}"


def _filled(form: Any) -> Any:
    """Return a request with the question and the schema in their places."""
    match form:
        case "{prompt}":
            return _PROMPT
        case "{schema}":
            return SCHEMA
        case "{schema_text}":
            return json.dumps(SCHEMA)
        case Mapping():
            return {key: _filled(value) for key, value in form.items()}
        case list():
            return [_filled(value) for value in form]
        case _:
            return form


def key(door: Door) -> str:
    """Who has no key is not served."""
    path, body = (
        (CHAT, _question(door, "Say hello.", max_tokens=1))
        if door.service.task == "generate"
        else (EMBEDDINGS, _texts(door, ["hello"]))
    )
    _expect(401, door.stranger.client.post(path, body))
    return "401 without the key"


def closed(door: Door) -> str:
    """What the engine has, and the route's list has not, stays inside."""
    inside = (door.probes.liveness.path, "/metrics", "/")
    path = next((each for each in inside if not door.lets_through(each)), "/not-listed")
    _expect(404, door.client.get(path))
    return f"GET {path} is 404"


def _question(door: Door, text: str, *, max_tokens: int) -> dict[str, Any]:
    return {
        "model": door.served_names[0],
        "messages": [{"role": "user", "content": text}],
        "max_tokens": max_tokens,
        "temperature": 0,
    }


def _texts(door: Door, texts: list[str]) -> dict[str, Any]:
    return {"model": door.served_names[0], "input": texts}


def _expect(status: int, answer: Answer) -> Answer:
    if answer.status != status:
        raise Fault(f"status {answer.status} instead of {status}: {answer.excerpt()}".rstrip(": "))
    return answer


def _content(answer: Answer) -> str:
    for choice in _items(answer.json(), "choices"):
        message = choice.get("message")
        if isinstance(message, dict) and "content" in message:
            # A model that is still thinking has said nothing yet.
            return str(message["content"] or "")
    raise Fault(f"no chat completion: {answer.excerpt()}")


def _was_cut_off(answer: Answer) -> bool:
    return any(choice.get("finish_reason") == "length" for choice in _items(answer.json(), "choices"))


def _items(document: Any, field: str) -> list[dict[str, Any]]:
    items = document.get(field) if isinstance(document, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _object(text: str) -> dict[str, Any] | None:
    value = parsed(text)
    return value if isinstance(value, dict) else None


def _listed(names: Any) -> str:
    return ", ".join(f"`{each}`" for each in names)

"""What is asked of a model. A check returns what it saw, or raises Fault with what is wrong."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeGuard

from llmdeploy.plan.model import NativeRequest
from llmdeploy.runtime import logs
from llmdeploy.runtime.http import Rejected, Unreachable
from llmdeploy.runtime.smoke.drain import drain
from llmdeploy.runtime.smoke.model import Door, Outcome
from llmdeploy.runtime.smoke.prefix import prefix
from llmdeploy.runtime.smoke.requests import (
    CHAT,
    DONE,
    EMBEDDINGS,
    Fault,
    as_object,
    content,
    expect,
    items,
    listed,
    question,
    texts,
    was_cut_off,
)

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
# Tokens of one answer are further apart than this, those that waited in a buffer are not.
_APART_S = 0.0005
_FEW = 4
# Proxies buffer by the page: nginx's proxy_buffers are of 4 KiB or more, others' are larger. A burst of less on
# average comes of an engine that sends some tokens at once, or of a busy machine that wakes its reader late.
_BUFFER_BYTES = 3 << 10
# Until a busy moment of the machine has passed.
_PAUSES_S = (0.2, 0.5, 1, 2, 4, 4)

Check = Callable[[Door], str]


def ask(door: Door, *, keyed: bool) -> Iterator[Outcome]:
    """Put every check that fits to the door. `keyed`: the deployment asks for a key."""
    for name, check in _checks(door, keyed):
        yield _outcome(door, name, check)


def end(doors: Iterable[Door]) -> Iterator[Outcome]:
    """Stop each engine that is ours to stop, while it answers. What comes after finds nobody."""
    for door in doors:
        if door.process and door.service.task == "generate":
            yield _outcome(door, "drain", drain)


def _outcome(door: Door, name: str, check: Check) -> Outcome:
    start = time.monotonic()
    try:
        ok, detail = True, check(door)
    except (Fault, Unreachable) as fault:
        ok, detail = False, str(fault)
    # Some servers show what they were asked, the key too; and JSON can hold what no text can.
    detail = logs.masked(detail, [door.client.key or ""]).encode("utf-8", "replace").decode()
    return Outcome(door.model, door.via, name, ok, detail, round(time.monotonic() - start, 3))


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
    if (
        door.service.prefix_caching
        and (cache := door.service.api.prefix_cache)
        and door.lets_through(cache.path)
    ):
        yield "prefix", partial(prefix, cache=cache)
    for adapter, asked in door.service.adapter_names.items():
        yield f"adapter {adapter}", partial(chat, model=asked)


def live(door: Door) -> str:
    return _probe(door, door.probes.liveness.path)


def ready(door: Door) -> str:
    return _probe(door, door.probes.readiness.path)


def _probe(door: Door, path: str) -> str:
    expect(200, door.client.get(path))
    return f"GET {path} is 200"


def name(door: Door) -> str:
    """Every name that llm.yaml promises is listed."""
    listing = expect(200, door.client.get("/v1/models")).json()
    served = {str(model["id"]) for model in items(listing, "data") if "id" in model}
    if served and not door.service.api.named:
        return f"answers to any name, and lists {listed(sorted(served))}"
    missing = [wanted for wanted in door.served_names if wanted not in served]
    if missing:
        raise Fault(f"does not serve {listed(missing)}, but {listed(sorted(served)) or 'nothing'}")
    return f"serves {listed(door.served_names)}"


def chat(door: Door, *, model: str | None = None) -> str:
    limit = 8
    asked = question(door, "Say hello.", max_tokens=limit)
    answer = expect(200, door.client.post(CHAT, {**asked, "model": model or asked["model"]}))
    content(answer)
    usage = answer.json().get("usage")
    tokens = usage.get("completion_tokens") if isinstance(usage, dict) else None
    if not isinstance(tokens, int) or not 1 <= tokens <= limit:
        raise Fault(f"was asked for 1 to {limit} tokens and counts {tokens!r}")
    return f"{tokens} tokens"


def embed(door: Door) -> str:
    """Two texts get a vector each, of one length, and not the same."""
    those = ["a small plant", "the price of steel"]
    answer = expect(200, door.client.post(EMBEDDINGS, texts(door, those)))
    found = [item.get("embedding") for item in items(answer.json(), "data")]
    vectors = [vector for vector in found if _is_vector(vector)]
    lengths = {len(vector) for vector in vectors}
    if not len(found) == len(vectors) == len(those) or len(lengths) != 1 or 0 in lengths:
        raise Fault(f"no two vectors of one length: {answer.excerpt()}")
    if vectors[0] == vectors[1]:
        raise Fault(f"`{those[0]}` and `{those[1]}` have the same vector")
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
    asked = question(door, "Count from one to forty, in words.", max_tokens=128)
    try:
        pieces = list(door.client.stream(CHAT, {**asked, "stream": True}))
    except Rejected as rejected:
        raise Fault(f"no stream, but {rejected}") from None
    if not pieces or pieces[-1][1] != DONE:
        last = pieces[-1][1][:80] if pieces else "nothing"
        raise Fault(f"the stream ends with {last!r} instead of {DONE}")
    if any("choices" not in (as_object(data) or {}) for _, data in pieces[:-1]):
        raise Fault("a piece of the stream is no chat completion chunk")
    return [(at, len(data.encode())) for at, data in pieces[:-1]]


def _bursts(times: list[float]) -> int:
    """Return how many groups of arrivals there are, with a pause before each."""
    return sum(at - before > _APART_S for before, at in zip([float("-inf"), *times], times, strict=False))


def schema(door: Door) -> str:
    """An answer that is held to a JSON Schema keeps it."""
    form = door.service.api.response_format or _OPENAI_FORM
    asked = {**question(door, _PROMPT, max_tokens=64), "response_format": _filled(form)}
    if door.service.reasons:
        asked["chat_template_kwargs"] = _NO_THINKING
    said = content(answer := expect(200, door.client.post(CHAT, asked)))
    if door.service.reasons and not said and was_cut_off(answer):
        return "the model is still reasoning after 64 tokens, and no schema holds before it answers"
    return _keeps_schema(said, "response_format")


def native(door: Door, *, request: NativeRequest) -> str:
    """What the engine's own clients send is answered, and kept to the same schema."""
    found = expect(200, answer := door.client.post(request.path, _filled(request.body))).json()
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
        (CHAT, question(door, "Say hello.", max_tokens=1))
        if door.service.task == "generate"
        else (EMBEDDINGS, texts(door, ["hello"]))
    )
    expect(401, door.stranger.client.post(path, body))
    return "401 without the key"


def closed(door: Door) -> str:
    """What the engine has, and the route's list has not, stays inside."""
    inside = (door.probes.liveness.path, "/metrics", "/")
    path = next((each for each in inside if not door.lets_through(each)), "/not-listed")
    expect(404, door.client.get(path))
    return f"GET {path} is 404"

"""The endpoints: a body to an answer. Those of OpenAI's API are made of the native ones, as in TGI."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from support.tgi import infer, requests
from support.tgi.router import Router
from support.tgi.serde import Kind, untagged
from support.tgi.text import Generation, simple_tokens
from support.tgi.validation import Rejected

DONE = "[DONE]"


@dataclass(frozen=True, slots=True)
class Answer:
    """`events` instead of a document: a stream of server-sent events."""

    document: Any = None
    events: Iterator[Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)


Endpoint = Callable[[Any, Router], Answer]


def compat(body: SimpleNamespace, router: Router) -> Answer:
    """POST /: a list, and the prompt before the answer where nobody says otherwise.

    The default depends on the model's tag on the Hub. Offline and for a directory there is none, which means
    yes, as does `text-generation`.
    """
    if body.parameters.return_full_text is None:
        body.parameters.return_full_text = True
    if body.stream:
        return generate_stream(body, router)
    answer = generate(body, router)
    return Answer([answer.document], headers=answer.headers)


def generate(body: SimpleNamespace, router: Router) -> Answer:
    given = body.parameters
    said, length = infer.generate(body.inputs, given, router)
    document: dict[str, Any] = {"generated_text": infer.full_text(body.inputs, given, said)}
    if given.details or given.decoder_input_details:
        document["details"] = {
            "finish_reason": said.reason,
            "generated_tokens": len(said.pieces),
            "seed": given.seed,
            "prefill": [],
            "tokens": said.tokens(),
        }
    return Answer(document, headers=_headers(router, said, length))


def generate_stream(body: SimpleNamespace, router: Router) -> Answer:
    def events() -> Iterator[Any]:
        try:
            yield from infer.stream(body.inputs, body.parameters, router)
        except Rejected as rejected:
            yield rejected.body()

    return Answer(events=events(), headers=_stream_headers(router))


def chat(body: SimpleNamespace, router: Router) -> Answer:
    inputs, given = _templated(body, router)
    model = router.args.model_id if body.model in (None, "tgi") else body.model
    head = {"id": "", "created": int(time.time()), "model": model, "system_fingerprint": router.fingerprint}
    if body.stream:
        events = _chat_events(inputs, given, router, head, usage=body.stream_options.include_usage)
        return Answer(events=events, headers=_stream_headers(router))
    said, length = infer.generate(inputs, given, router)
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": said.text},
        "logprobs": None,
        "finish_reason": _reason(said.reason),
    }
    document = {"object": "chat.completion", **head, "choices": [choice], "usage": _usage(length, said)}
    return Answer(document, headers=_headers(router, said, length))


def _chat_events(
    inputs: str, given: SimpleNamespace, router: Router, head: dict[str, Any], *, usage: bool
) -> Iterator[Any]:
    head = {"object": "chat.completion.chunk", **head}
    try:
        for event in infer.stream(inputs, given, router):
            token, end = event["token"], event["details"]
            choice = {
                "index": 0,
                "delta": {"role": "assistant", "content": "" if token["special"] else token["text"]},
                "logprobs": None,
                "finish_reason": _reason(end["finish_reason"]) if end else None,
            }
            yield {**head, "choices": [choice], "usage": None}
            if end and usage:
                counted = _counted(end["input_length"], end["generated_tokens"])
                yield {**head, "choices": [], "usage": counted}
    except Rejected as rejected:
        yield {"error": {"message": str(rejected), "http_status_code": 422}}
    yield DONE


def completions(body: SimpleNamespace, router: Router) -> Answer:
    if body.suffix is not None:
        text = "Suffix is not supported and can be achieved by preprocessing the prompt."
        raise Rejected(422, text, "suffix not supported")
    most = router.args.max_client_batch_size
    if len(body.prompt) > most:
        text = f"Number of prompts exceeds the maximum allowed batch size of {most}"
        raise Rejected(422, text, "batch size exceeded")
    given = _sampling(body, details=True)
    head = {
        "object": "text_completion",
        "id": "",
        "created": int(time.time()),
        "model": router.args.model_id,
        "system_fingerprint": router.fingerprint,
    }
    if body.stream:
        events = _completion_events(body.prompt, given, router, head)
        return Answer(events=events, headers=_stream_headers(router))
    answers = [infer.generate(prompt, given, router) for prompt in body.prompt]
    choices = [
        {"index": index, "text": said.text, "logprobs": None, "finish_reason": _reason(said.reason)}
        for index, (said, _) in enumerate(answers)
    ]
    usage = _counted(sum(length for _, length in answers), sum(len(said.pieces) for said, _ in answers))
    return Answer({**head, "choices": choices, "usage": usage})


def _completion_events(
    prompts: list[str], given: SimpleNamespace, router: Router, head: dict[str, Any]
) -> Iterator[Any]:
    """Yield the prompts one after another; TGI mixes them."""
    for index, prompt in enumerate(prompts):
        try:
            for event in infer.stream(prompt, given, router):
                end = event["details"]
                reason = end["finish_reason"] if end else ""
                text = event["token"]["text"]
                choice = {"index": index, "text": text, "logprobs": None, "finish_reason": reason}
                usage = {"usage": _counted(end["input_length"], end["generated_tokens"])} if end else {}
                yield {**head, "choices": [choice], **usage}
        except Rejected as rejected:
            yield {"error": {"message": str(rejected), "http_status_code": 422}}
    yield DONE


def tokenize(body: SimpleNamespace, router: Router) -> Answer:
    return Answer(simple_tokens(body.inputs))


def chat_tokenize(body: SimpleNamespace, router: Router) -> Answer:
    router.metrics.count("tgi_request_count")
    inputs, _ = _templated(body, router)
    return Answer({"tokenize_response": simple_tokens(inputs), "templated_text": inputs})


def vertex(body: SimpleNamespace, router: Router) -> Answer:
    router.metrics.count("tgi_request_count")
    if not body.instances:
        raise Rejected(422, "Input validation error", "Input validation error")
    predictions = []
    for each in body.instances:
        if hasattr(each, "messages"):
            inputs, given = _templated(each, router)
        else:
            asked = each.parameters or requests.parameters()
            inputs = each.inputs
            given = requests.parameters(do_sample=True, max_new_tokens=asked.max_new_tokens, seed=asked.seed)
        try:
            said, _ = infer.generate(inputs, given, router)
        except Rejected:
            raise Rejected(500, "Incomplete generation", "Incomplete generation") from None
        predictions.append(said.text)
    return Answer({"predictions": predictions})


def invocations(body: tuple[Endpoint, SimpleNamespace], router: Router) -> Answer:
    """SageMaker's one door: whatever the body looks like."""
    endpoint, inner = body
    return endpoint(inner, router)


def _for(endpoint: Endpoint, kind: Kind) -> Kind:
    return lambda value, path: (endpoint, kind(value, path))


SAGEMAKER = untagged(
    "SagemakerRequest",
    _for(compat, requests.COMPAT),
    _for(chat, requests.CHAT),
    _for(completions, requests.COMPLETION),
)


def _templated(body: SimpleNamespace, router: Router) -> tuple[str, SimpleNamespace]:
    """Return prompt and parameters of a chat. The template itself is not run, only asked for."""
    if body.response_format is not None and body.tools is not None:
        raise Rejected(422, "Tool error: Grammar and tools are mutually exclusive", "tool_error")
    if body.tools and body.tool_choice not in ("auto", "none"):
        # With `auto` a model may use none of them, and that is what this one does.
        raise Rejected(501, "The stand-in for TGI calls no tools", "stand_in")
    if not router.chat_template:
        raise Rejected(422, "Template error: template not found", "template_error")
    given = _sampling(
        body,
        details=True,
        grammar=body.response_format,
        top_n_tokens=body.top_logprobs,
        repetition_penalty=None if body.presence_penalty is None else body.presence_penalty + 2,
    )
    return "".join(f"{role}: {text}\n" for role, text in body.messages) + "assistant:", given


def _sampling(body: SimpleNamespace, **given: Any) -> SimpleNamespace:
    """Return the parameters that both of OpenAI's endpoints have; a temperature of 0 is greedy, not refused."""
    greedy = body.temperature == 0
    shared = {
        "do_sample": not greedy,
        "temperature": None if greedy else body.temperature,
        "repetition_penalty": getattr(body, "repetition_penalty", None),
        "frequency_penalty": body.frequency_penalty,
        "top_p": body.top_p,
        "max_new_tokens": body.max_tokens,
        "stop": body.stop or [],
        "seed": body.seed,
    }
    return requests.parameters(**{**shared, **given})


def _reason(reason: str) -> str:
    return "stop" if reason == "eos_token" else reason


def _usage(length: int, said: Generation) -> dict[str, int]:
    return _counted(length, len(said.pieces))


def _counted(prompt: int, completion: int) -> dict[str, int]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _headers(router: Router, said: Generation, length: int) -> dict[str, str]:
    return {
        "x-compute-type": router.compute_type,
        "x-prompt-tokens": str(length),
        "x-generated-tokens": str(len(said.pieces)),
    }


def _stream_headers(router: Router) -> dict[str, str]:
    # With the last one nginx buffers no stream of TGI, whatever its configuration says.
    return {"x-compute-type": router.compute_type, "x-accel-buffering": "no"}

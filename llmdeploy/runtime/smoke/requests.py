"""The requests that checks have in common, and how their answers are read: those of the OpenAI API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from llmdeploy.runtime.http import Answer, parsed
from llmdeploy.runtime.smoke.model import Door

CHAT = "/v1/chat/completions"
EMBEDDINGS = "/v1/embeddings"
DONE = "[DONE]"
"""What ends a stream."""


class Fault(Exception):  # noqa: N818  what is wrong with the deployment, not with us
    """A check does not hold; the text says what was seen instead."""


def question(door: Door, text: str, *, max_tokens: int) -> dict[str, Any]:
    return {
        "model": door.served_names[0],
        "messages": [{"role": "user", "content": text}],
        "max_tokens": max_tokens,
        "temperature": 0,
    }


def texts(door: Door, those: list[str]) -> dict[str, Any]:
    return {"model": door.served_names[0], "input": those}


def expect(status: int, answer: Answer) -> Answer:
    if answer.status != status:
        raise Fault(f"status {answer.status} instead of {status}: {answer.excerpt()}".rstrip(": "))
    return answer


def content(answer: Answer) -> str:
    for choice in items(answer.json(), "choices"):
        message = choice.get("message")
        if isinstance(message, dict) and "content" in message:
            # A model that is still thinking has said nothing yet.
            return str(message["content"] or "")
    raise Fault(f"no chat completion: {answer.excerpt()}")


def was_cut_off(answer: Answer) -> bool:
    return any(choice.get("finish_reason") == "length" for choice in items(answer.json(), "choices"))


def items(document: Any, field: str) -> list[dict[str, Any]]:
    found = document.get(field) if isinstance(document, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def as_object(text: str) -> dict[str, Any] | None:
    value = parsed(text)
    return value if isinstance(value, dict) else None


def listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{each}`" for each in names)

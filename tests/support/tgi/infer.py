"""One generation: permit, validation, tokens in their time. Every endpoint that says something comes here."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from support.tgi.router import Router
from support.tgi.text import Generation, generation
from support.tgi.validation import Rejected, invalid, validate

# Apart, so that a proxy which holds answers back is seen, and so that a request takes a while.
_TOKEN_S = 0.005


def generate(inputs: str, given: SimpleNamespace, router: Router) -> tuple[Generation, int]:
    """Return what the model says, once it is said, and how long the prompt was."""
    router.metrics.count("tgi_request_count")
    best_of = given.best_of or 1
    if best_of > 1:
        most = router.args.max_best_of
        if most == 1:
            raise _failed(router, invalid("`best_of` != 1 is not allowed for this endpoint"))
        if best_of > most:
            text = f"`best_of` must be > 0 and <= {most}. Given: {best_of}"
            raise _failed(router, invalid(text))
    with _permit(router):
        said, length = _said(inputs, given, router)
        time.sleep(_TOKEN_S * len(said.pieces))
    router.metrics.count("tgi_request_success")
    return said, length


def stream(inputs: str, given: SimpleNamespace, router: Router) -> Iterator[dict[str, Any]]:
    """Yield a StreamResponse for each token. Rejected comes out of the middle: the status is 200 by then."""
    router.metrics.count("tgi_request_count")
    if (given.best_of if given.best_of is not None else 1) != 1:
        raise _failed(router, invalid("`best_of` != 1 is not supported when streaming tokens"))
    if given.decoder_input_details:
        text = "`decoder_input_details` == true is not supported when streaming tokens"
        raise _failed(router, invalid(text))
    with _permit(router):
        said, length = _said(inputs, given, router)
        tokens = said.tokens()
        for index, token in enumerate(tokens, 1):
            time.sleep(_TOKEN_S)
            event = {"index": index, "token": token, "generated_text": None, "details": None}
            if index == len(tokens):
                event |= _end(inputs, given, said, length)
            yield event
    router.metrics.count("tgi_request_success")


def full_text(inputs: str, given: SimpleNamespace, said: Generation) -> str:
    return inputs + said.text if given.return_full_text else said.text


def _end(inputs: str, given: SimpleNamespace, said: Generation, length: int) -> dict[str, Any]:
    details = {
        "finish_reason": said.reason,
        "generated_tokens": len(said.pieces),
        "seed": given.seed,
        "input_length": length,
    }
    return {
        "generated_text": full_text(inputs, given, said),
        "details": details if given.details else None,
    }


def _said(inputs: str, given: SimpleNamespace, router: Router) -> tuple[Generation, int]:
    try:
        valid = validate(inputs, given, router)
    except Rejected as rejected:
        raise _failed(router, rejected) from None
    router.metrics.set("tgi_queue_size", 0)
    asked = given.max_new_tokens is not None
    said = generation(valid.constrained, valid.limit, asked=asked, stop=given.stop)
    return said, valid.input_length


@contextmanager
def _permit(router: Router) -> Iterator[None]:
    """A request beyond the limit is refused, and does not wait."""
    if not router.permits.acquire(blocking=False):
        raise _failed(router, Rejected(429, "Model is overloaded", "overloaded"))
    try:
        yield
    finally:
        router.permits.release()


def _failed(router: Router, rejected: Rejected) -> Rejected:
    router.metrics.count("tgi_request_failure", f'{{err="{rejected.kind}"}}')
    return rejected

"""What the router says of a request before the model sees it, in its order and its words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from support.tgi import regex
from support.tgi.grammar import Bad, document
from support.tgi.requests import Grammar
from support.tgi.router import Router
from support.tgi.text import pieces

# Longer answers are made in parts of this size, and only the first is checked against the limit.
_PART = 1024


class Rejected(Exception):  # noqa: N818  an answer, not a defect
    """An error with its status and its `error_type`."""

    def __init__(self, status: int, error: str, kind: str) -> None:
        super().__init__(error)
        self.status = status
        self.kind = kind

    def body(self) -> dict[str, Any]:
        return {"error": str(self), "error_type": self.kind}


def invalid(text: str) -> Rejected:
    return Rejected(422, f"Input validation error: {text}", "validation")


@dataclass(frozen=True, slots=True)
class Valid:
    """`limit` is the most tokens of the answer. It stays below what was asked, which TGI's own parts may pass."""

    input_length: int
    limit: int
    constrained: str | None


def validate(inputs: str, parameters: SimpleNamespace, router: Router) -> Valid:
    for text in _faults(parameters, router):
        raise invalid(text)
    if not inputs:
        raise invalid("`inputs` cannot be empty")
    cut = parameters.truncate
    if cut is not None and not 0 < cut <= router.max_input_tokens:
        most = router.max_input_tokens
        raise invalid(f"`truncate` must be strictly positive and less than {most}. Given: {cut}")
    length = len(pieces(inputs)[:cut])
    limit = _limit(length, parameters.max_new_tokens, router)
    return Valid(length, limit, _constrained(parameters.grammar, router))


def _faults(given: SimpleNamespace, router: Router) -> Iterator[str]:
    sampled = (given.temperature, given.top_k, given.top_p, given.typical_p)
    best_of = given.best_of if given.best_of is not None else 1
    args = router.args
    if best_of > 1 and not given.do_sample and all(each is None for each in sampled):
        yield "you must use sampling when `best_of` is > 1"
    for name in ("temperature", "repetition_penalty"):
        if (value := getattr(given, name)) is not None and value <= 0:
            yield f"`{name}` must be strictly positive"
    if given.frequency_penalty is not None and not -2 <= given.frequency_penalty <= 2:
        yield "`frequency_penalty` must be >= -2.0 and <= 2.0"
    for name in ("top_p", "typical_p"):
        if (value := getattr(given, name)) is not None and not 0 < value < 1:
            yield f"`{name}` must be > 0.0 and < 1.0"
    if given.top_k is not None and given.top_k <= 0:
        yield "`top_k` must be strictly positive"
    if given.max_new_tokens == 0:
        yield "`max_new_tokens` must be strictly positive"
    if len(given.stop) > args.max_stop_sequences:
        yield f"`stop` supports up to {args.max_stop_sequences} stop sequences. Given: {len(given.stop)}"
    if given.seed is not None and best_of > 1:
        yield "`seed` must not be set when `best_of` > 1"
    if (given.top_n_tokens or 0) > args.max_top_n_tokens:
        yield f"`top_n_tokens` must be >= 0 and <= {args.max_top_n_tokens}. Given: {given.top_n_tokens}"


def _limit(length: int, asked: int | None, router: Router) -> int:
    total = router.max_total_tokens
    room = max(0, total - length)
    part = min(room if asked is None else asked, _PART)
    if length + part > total:
        given = f"{length} `inputs` tokens and {part} `max_new_tokens`"
        raise invalid(f"`inputs` tokens + `max_new_tokens` must be <= {total}. Given: {given}")
    if length > router.max_input_tokens:
        raise invalid(f"`inputs` must have less than {router.max_input_tokens} tokens. Given: {length}")
    return room if asked is None else min(asked, room)


def _constrained(grammar: Grammar | None, router: Router) -> str | None:
    """Return a text that keeps to the grammar."""
    if grammar is None:
        return None
    if router.args.disable_grammar_support:
        raise invalid("grammar is not supported")
    try:
        if grammar.kind == "regex":
            return regex.matching(grammar.value)
        return document(_schema(grammar))
    except Bad as bad:
        raise invalid(str(bad)) from None
    except regex.Unknown as unknown:
        raise Rejected(422, f"The stand-in for TGI cannot: {unknown}", "stand_in") from None
    except re.error as error:
        # Nothing looks at a regular expression before the Python server compiles it.
        raise Rejected(
            424, f"Request failed during generation: Server error: {error}", "generation"
        ) from None


def _schema(grammar: Grammar) -> Any:
    """With `json` the schema may also come as text."""
    value = grammar.value
    if grammar.kind == "json_schema" or isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise Bad("grammar is not supported")
    try:
        return json.loads(value)
    except ValueError as error:
        raise Bad(f"grammar is not valid: {error}") from None

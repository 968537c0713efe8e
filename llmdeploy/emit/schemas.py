"""What the output formats' own schemas say against a document. They are vendored in schemas/vendor.

A schema sees unknown fields, wrong types and missing keys, and no more: names that nobody defines, a
selector that matches nothing or a quantity that is none pass it. That is for `llmdeploy verify`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from llmdeploy import resources

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

Where = tuple[str | int, ...]

_KUBERNETES = ("kubernetes", "gateway-api")


def schema_errors(kind: str, document: Mapping[str, Any]) -> list[tuple[Where, str]]:
    """Each fault as (path to it, what is wrong), sorted by path; `kind` is `compose` or `kubernetes`.

    A Kubernetes object without a vendored schema is a fault too: unchecked must not look like checked.
    """
    if kind == "compose":
        validator = _compose()
    elif kind == "kubernetes":
        name = _object_kind(document)
        if name not in _object_kinds():
            return [((), f"no schema for `{name}`")]
        validator = _object(name)
    else:
        raise ValueError(f"no schemas for `{kind}`")
    return sorted(
        _faults(validator, document), key=lambda fault: ([str(step) for step in fault[0]], fault[1])
    )


def _faults(validator: Validator, document: Mapping[str, Any]) -> Iterator[tuple[Where, str]]:
    from jsonschema.exceptions import best_match

    errors = list(validator.iter_errors(document))
    for error in errors:
        where = tuple(error.absolute_path)
        # One fault inside a service makes all of its keys "unevaluated"; only the fault itself is news.
        if error.validator == "unevaluatedProperties" and any(
            tuple(other.absolute_path)[: len(where)] == where for other in errors if other is not error
        ):
            continue
        # "Not valid under any of the given schemas" helps nobody: take the likeliest branch's fault.
        fault = best_match([error]) or error
        yield tuple(fault.absolute_path), fault.message


def _object_kind(document: Mapping[str, Any]) -> str:
    return f"{document.get('apiVersion')}/{document.get('kind')}"


@cache
def _load(name: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads(resources.read_text(f"schemas/vendor/{name}.json"))
    return schema


@cache
def _object_kinds() -> dict[str, str]:
    """apiVersion/kind -> the vendored file that describes it."""
    return {kind: name for name in _KUBERNETES for kind in _load(name)["kinds"]}


@cache
def _compose() -> Validator:
    return _validator(_load("compose-spec"))


@cache
def _object(kind: str) -> Validator:
    vendored = _load(_object_kinds()[kind])
    return _validator({**vendored["kinds"][kind], "$defs": vendored.get("$defs", {})})


def _validator(schema: dict[str, Any]) -> Validator:
    # jsonschema takes 60 ms to import, which `llmdeploy --help` need not pay.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema)

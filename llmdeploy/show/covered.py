"""The JSON of a plan without the credentials that llm.yaml should not state, so that it can be shown beside that error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.diagnostics.redact import MASK, redact

_STATED = "LD310"


def covered(document: dict[str, Any], found: Iterable[Diagnostic]) -> dict[str, Any]:
    """Return `document` as it is, or, where a credential was found, without everything that may repeat it."""
    paths = [diagnostic.path for diagnostic in found if diagnostic.code == _STATED]
    if not paths:
        return document
    # What became of the value (quoted, in JSON, in a list) cannot be told from here, so nothing of it is shown.
    models = {path[1] for path in paths if path[:1] == ("models",) and len(path) > 1}
    services = [
        {**service, "argv": [MASK], "env": dict.fromkeys(service["env"], MASK), "why": []}
        if service["name"] in models
        else service
        for service in document["services"]
    ]
    result: dict[str, Any] = _redacted({**document, "services": services})
    return result


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(key): _redacted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item) for item in value]
    return value

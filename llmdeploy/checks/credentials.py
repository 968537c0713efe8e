"""Credentials that stand in llm.yaml itself. Their text is never printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Path
from llmdeploy.diagnostics.redact import is_credential, looks_like_credential, names_credential
from llmdeploy.spec.entry import Entry

_HELP = "declare it under `secrets` by reference (`{env: NAME}`) and name that secret in `token` or `gateway.auth`"


def check(context: Context) -> Iterator[Diagnostic]:
    for name, model in context.spec.models.items():
        yield from _named(("models", name, "env"), model.env)
        yield from _named(("models", name, "engine_args"), model.engine_args)
        yield from _values(("models", name, "engine_args"), model.engine_args)
    yield from _anywhere((), context.spec)


def _named(path: Path, entries: Mapping[str, Any]) -> Iterator[Diagnostic]:
    for key, value in entries.items():
        if isinstance(value, str) and value and (names_credential(key) or looks_like_credential(value)):
            yield Diagnostic(
                "LD310", f"the value of `{key}` is a credential: [REDACTED]", (*path, key), help=_HELP
            )


def _values(path: Path, value: Any) -> Iterator[Diagnostic]:
    """Look into the nested values of engine arguments, below their first level."""
    children: Iterator[tuple[str | int, Any]]
    children = iter(value.items()) if isinstance(value, Mapping) else iter(enumerate(value))
    for key, child in children:
        if isinstance(child, (Mapping, list)):
            yield from _values((*path, key), child)
        elif len(path) > 3 and isinstance(child, str) and looks_like_credential(child):
            yield Diagnostic("LD310", "this value is a credential: [REDACTED]", (*path, key), help=_HELP)


def _anywhere(path: Path, value: Any) -> Iterator[Diagnostic]:
    """Look where no credential is expected: it would be written into artifacts as it is."""
    if isinstance(value, str):
        if is_credential(value):
            yield Diagnostic("LD310", "this value is a credential: [REDACTED]", path, help=_HELP)
    elif not _is_looked_at(path):
        for key, child in _children(value):
            yield from _anywhere((*path, key), child)


def _children(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, Entry):
        for name, field in type(value).model_fields.items():
            yield field.alias or name, getattr(value, name)
    elif isinstance(value, Mapping):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def _is_looked_at(path: Path) -> bool:
    return len(path) == 3 and path[0] == "models" and path[2] in ("env", "engine_args")

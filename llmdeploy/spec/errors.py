"""pydantic's errors in our words: what was written, what is wanted, what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from llmdeploy.diagnostics import Diagnostic, Path
from llmdeploy.diagnostics.redact import MASK, is_secret, redact
from llmdeploy.diagnostics.suggest import did_you_mean
from llmdeploy.spec.shape import at
from llmdeploy.spec.unknown import unknown_key
from llmdeploy.spec.words import describe, flow, subject

Words = tuple[str, str, str | None]
"""Code, message, help."""
Rule = Callable[[Any, dict[str, Any], Path, str], Words]

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "`true` or `false`",
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "list_type": "a list",
}

_SWITCH = "`true`, `false` or a mapping"
"""What a mapping with a boolean short form takes."""


def translate(error: ErrorDetails, path: Path, root: type[BaseModel]) -> Diagnostic:
    """Return the diagnostic of one error; `path` is the place in the file."""
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return unknown_key(path, root)
    if kind == "missing":
        return missing(path, root)
    if kind.startswith("LD"):
        code, message, help = kind, str(context["message"]), context["help"]
        path = (*path, *context["at"])
        if path[:1] == ("secrets",) and isinstance(value, str):
            message = message.replace(value, MASK)
    elif kind in _WANTED:
        shape = at(root, path)
        is_switch = shape is not None and shape.short is not None and bool in shape.short.types
        wanted = _SWITCH if is_switch and kind == "model_type" else _WANTED[kind]
        code, message, help = _wrong_type(wanted, value, path)
        if is_switch and help is None:
            help = f"write `{path[-1]}: {example(path, root)}`"
    else:
        rule: Rule = _RULES.get(kind, _other)
        code, message, help = rule(value, context, path, error["msg"])
    return Diagnostic(code, redact(message), path, redact(help) if help else None)


def missing(path: Path, root: type[BaseModel]) -> Diagnostic:
    key = str(path[-1])
    where = f"`{subject(path[:-1])}` lacks" if path[:-1] else "the file lacks"
    return Diagnostic("LD102", f"{where} `{key}`", path, f"add `{key}: {example(path, root)}`")


def example(path: Path, root: type[BaseModel]) -> str:
    field = _field(path, root)
    return flow(field.examples[0]) if field and field.examples else "…"


def is_required(path: Path, root: type[BaseModel]) -> bool:
    field = _field(path, root)
    return field is not None and field.is_required()


def _field(path: Path, root: type[BaseModel]) -> FieldInfo | None:
    parent = at(root, path[:-1])
    fields = parent.model.model_fields if parent and parent.model else {}
    return next((field for name, field in fields.items() if (field.alias or name) == path[-1]), None)


def _wrong_type(wanted: str, value: Any, path: Path) -> Words:
    if len(path) == 2 and path[0] == "secrets":
        return (
            "LD103",
            f"secret `{path[1]}` wants a reference, never the value itself",
            f"write `{path[1]}: {{env: NAME}}` and set NAME where the deployment runs",
        )
    written = f"the value {MASK}" if is_secret(path, value) else describe(value)
    return "LD103", f"`{subject(path)}` takes {wanted}, not {written}", _unquote(wanted, value)


def _unquote(wanted: str, value: Any) -> str | None:
    """Say what was probably meant: numbers and booleans that were written as text, or the reverse."""
    if wanted == "text":
        return "put quotes around text" if isinstance(value, bool) else None
    if not isinstance(value, str):
        return None
    if "number" in wanted and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        return f"write `{value}` without quotes"
    meant = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
    if "true" in wanted and value.lower() in meant:
        return f"write `{meant[value.lower()]}`"
    return None


def _literal(value: Any, context: dict[str, Any], path: Path, said: str) -> Words:
    legal = re.findall(r"'([^']*)'", str(context["expected"]))
    if not isinstance(value, str):
        return (
            "LD103",
            f"`{subject(path)}` takes one of its names, not {describe(value)}",
            did_you_mean("", legal),
        )
    return "LD104", f"`{value}` is not a legal `{subject(path)}`", did_you_mean(value, legal)


def _range(relation: str, key: str) -> Rule:
    def words(value: Any, context: dict[str, Any], path: Path, said: str) -> Words:
        limit = f"{context[key]:g}" if isinstance(context[key], float) else context[key]
        return "LD104", f"`{subject(path)}` must be {relation} {limit}, not {describe(value)}", None

    return words


def _too_short(value: Any, context: dict[str, Any], path: Path, said: str) -> Words:
    what = "text" if isinstance(value, str) else "entry"
    return (
        "LD104",
        f"`{subject(path)}` is empty",
        f"give at least one {what}" if what == "entry" else "write some text",
    )


def _too_long(value: Any, context: dict[str, Any], path: Path, said: str) -> Words:
    return "LD105", f"`{subject(path)}` is longer than {context['max_length']} characters", "shorten it"


def _other(value: Any, context: dict[str, Any], path: Path, said: str) -> Words:
    return "LD104", f"`{subject(path)}` is not right: {said[:1].lower()}{said[1:]}", None


_RULES: dict[str, Rule] = {
    "literal_error": _literal,
    "greater_than": _range("above", "gt"),
    "greater_than_equal": _range("at least", "ge"),
    "less_than": _range("below", "lt"),
    "less_than_equal": _range("at most", "le"),
    "too_short": _too_short,
    "string_too_short": _too_short,
    "too_long": _too_long,
    "string_too_long": _too_long,
    "finite_number": lambda value, context, path, said: (
        "LD104",
        f"`{subject(path)}` must be a finite number",
        None,
    ),
}

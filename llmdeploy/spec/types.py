"""The scalars of llm.yaml, each with its own words for what is wrong.

A validator raises `problem(...)`, whose type is a diagnostic code; `parse` hands it on as it is.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from llmdeploy.source import PlainNumber

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
SIZE = r"^[0-9]+(\.[0-9]+)?(MiB|GiB|TiB)$"
DURATION = r"^[0-9]+(\.[0-9]+)?(s|m|h)$"
CAPABILITY = r"^[0-9]{1,2}\.[0-9]$"
SEGMENTS = r"^(/[A-Za-z0-9._~-]+)+/?$"
ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
HUB_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$"

_GIB = {"MiB": 1 / 1024, "GiB": 1.0, "TiB": 1024.0}
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def problem(code: str, message: str, help: str) -> PydanticCustomError:
    """Return an error that `parse` turns into the diagnostic `code` with this message and help."""
    # Braces would be read as a template by pydantic; both texts travel in the context instead.
    return PydanticCustomError(code, "{message}", {"message": message, "help": help})  # type: ignore[arg-type]


def _as_written(value: Any) -> Any:
    """A plain number where text is wanted is that text: `revision: 12e5`."""
    return value.text if isinstance(value, PlainNumber) else value


def _matches(pattern: str, what: str, example: str) -> AfterValidator:
    expression = re.compile(pattern)

    def check(value: str) -> str:
        if expression.fullmatch(value) is None or "\n" in value:
            raise problem("LD105", f"`{value}` is not {what}", f"write it like `{example}`")
        return value

    return AfterValidator(check)


def _gib(value: Any) -> Any:
    text = _as_written(value)
    if not isinstance(text, str):
        return value
    if re.fullmatch(SIZE, text) is None:
        raise problem("LD105", f"`{text}` is not a size", "write a number with MiB, GiB or TiB, like `48GiB`")
    size = float(text[:-3]) * _GIB[text[-3:]]
    if size <= 0:
        raise problem("LD104", f"`{text}` is not a size above zero", "write a size like `48GiB`")
    return size


def _seconds(value: Any) -> Any:
    text = _as_written(value)
    if not isinstance(text, str):
        return value
    if re.fullmatch(DURATION, text) is None:
        raise problem("LD105", f"`{text}` is not a duration", "write a number with s, m or h, like `20m`")
    seconds = round(float(text[:-1]) * _SECONDS[text[-1]])
    if not 1 <= seconds <= 86400:
        raise problem("LD104", f"`{text}` is not between 1s and 24h", "write a duration like `20m`")
    return seconds


Text = Annotated[str, BeforeValidator(_as_written), Field(min_length=1)]
"""Text that is not empty; a plain number is taken as written."""

AnyText = Annotated[
    str,
    BeforeValidator(_as_written),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "number"}]}),
]
"""Text that may be empty, for values of environment variables."""

Name = Annotated[str, _matches(DNS_LABEL, "a name", "chat-8b"), Field(pattern=DNS_LABEL, max_length=63)]
"""A DNS label, for it becomes the name of containers, Services and volumes."""

EnvName = Annotated[str, _matches(ENV_NAME, "the name of an environment variable", "HF_TOKEN")]
HubId = Annotated[Text, _matches(HUB_ID, "a Hub id", "Qwen/Qwen3-8B")]
RoutePath = Annotated[
    Text,
    _matches(SEGMENTS, "a path of segments of letters, digits and `._~-`", "/chat"),
    WithJsonSchema({"type": "string", "pattern": SEGMENTS}),
]
Capability = Annotated[
    Text, _matches(CAPABILITY, "a compute capability", '"8.9"'), WithJsonSchema({"type": "string", "pattern": CAPABILITY})
]
Size = Annotated[float, BeforeValidator(_gib), WithJsonSchema({"type": "string", "pattern": SIZE})]
"""GiB."""
Duration = Annotated[int, BeforeValidator(_seconds), WithJsonSchema({"type": "string", "pattern": DURATION})]
"""Whole seconds."""
Count = Annotated[int, Field(ge=1, le=65536)]
Tokens = Annotated[int, Field(ge=1, le=1 << 30)]
Port = Annotated[int, Field(ge=1, le=65535)]
Fraction = Annotated[float, Field(gt=0, le=1)]

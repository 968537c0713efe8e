"""The scalars of llm.yaml, each with its own words for what is wrong.

A validator raises `problem(...)`, whose type is a diagnostic code; `parse` hands it on as it is.
"""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal

from msgspec import Struct
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from llmdeploy.numbers import PlainFloat, PlainInt, PlainNumber
from llmdeploy.spec.words import describe

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
SIZE = r"^[0-9]+(\.[0-9]+)?(MiB|GiB|TiB)$"
DURATION = r"^[0-9]+(\.[0-9]+)?(s|m|h)$"
CAPABILITY = r"^[0-9]{1,2}\.[0-9]$"
SEGMENTS = r"^(/[A-Za-z0-9._~-]+)+/?$"
HOST_NAME = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"
OBJECT_NAME = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
IMAGE = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*$"
ADAPTER_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
SECRET_KEY = r"^[-._a-zA-Z0-9]{1,253}$"
HUB_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$"

_MOST_GIB = float(1 << 20)
_GIB = {"MiB": 1 / 1024, "GiB": 1.0, "TiB": 1024.0}
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def problem(code: str, message: str, help: str, at: tuple[str, ...] = ()) -> PydanticCustomError:
    """Return an error that `parse` turns into the diagnostic `code`, at `at` below where it is raised."""
    # Braces would be read as a template by pydantic; the texts travel in the context instead.
    context = {"message": message, "help": help, "at": at}
    return PydanticCustomError(code, "{message}", context)


def _as_written(value: Any) -> Any:
    return value.text if isinstance(value, PlainNumber) else value


class _AsWritten(Struct, frozen=True):
    """A plain number where text is wanted is that text: `revision: 12e5`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(_as_written, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core), "type": ["string", "number"]}


class _Matches(Struct, frozen=True):
    """The same pattern for `parse` and for editors."""

    pattern: str
    what: str
    example: str

    def check(self, value: str) -> str:
        if re.fullmatch(self.pattern, value) is None or "\n" in value:
            raise problem("LD105", f"`{value}` is not {self.what}", f"write it like `{self.example}`")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(core), "pattern": self.pattern}


def _gib(value: Any) -> Any:
    text = _as_written(value)
    help = "write a number with MiB, GiB or TiB, like `48GiB`"
    if not isinstance(text, str):
        raise problem("LD103", f"a size is wanted, not {describe(value)}", help)
    if re.fullmatch(SIZE, text) is None:
        raise problem("LD105", f"`{text}` is not a size", help)
    size = float(text[:-3]) * _GIB[text[-3:]]
    if not 0 < size <= _MOST_GIB:
        raise problem("LD104", f"`{text}` is not a size between 0 and 1024TiB", "write a size like `48GiB`")
    return size


def _seconds(value: Any) -> Any:
    text = _as_written(value)
    help = "write a number with s, m or h, like `20m`"
    if not isinstance(text, str):
        raise problem("LD103", f"a duration is wanted, not {describe(value)}", help)
    if re.fullmatch(DURATION, text) is None:
        raise problem("LD105", f"`{text}` is not a duration", help)
    seconds = float(text[:-1]) * _SECONDS[text[-1]]
    if not 1 <= seconds <= 86400:
        raise problem("LD104", f"`{text}` is not between 1s and 24h", "write a duration like `20m`")
    return round(seconds)


def _version(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        raise problem("LD103", f"`version` takes the number 1, not {describe(value)}", "write `version: 1`")
    if value != 1:
        raise problem(
            "LD107", f"this release does not read version {value} of llm.yaml", "write `version: 1`"
        )
    return 1


def _plain(value: Any) -> Any:
    """Any JSON, with ordinary numbers: it is written out as YAML, where our subclasses are unknown."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    value = _finite(value)
    if isinstance(value, PlainInt):
        return int(value)
    return float(value) if isinstance(value, PlainFloat) else value


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise problem("LD104", f"{describe(value)} is not finite", "put quotes around text")
    return value


AUTO = -1
"""`auto` where a number of tokens or requests may stand: solved for in `plan.sizing`."""


def _or_auto(value: Any, judge: ValidatorFunctionWrapHandler) -> Any:
    if value == "auto":
        return AUTO
    if isinstance(value, str) and not value.isdecimal():
        raise problem(
            "LD103", f"a whole number or `auto` is wanted, not {describe(value)}", "write a number, or `auto`"
        )
    return judge(value)


class _OrAuto(Struct, frozen=True):
    """A number, or the word `auto`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(_or_auto, handler(source))

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(core), {"const": "auto"}]}


Version = Annotated[Literal[1], BeforeValidator(_version), WithJsonSchema({"const": 1})]
Json = Annotated[Any, AfterValidator(_plain)]
Argument = Annotated[Any, AfterValidator(_finite)]
"""Any JSON; its numbers remember how they were written, for the flag may want text."""

Text = Annotated[str, Field(min_length=1), _AsWritten()]
"""Text that is not empty."""

AnyText = Annotated[str, _AsWritten()]
"""Text that may be empty, for values of environment variables."""

Name = Annotated[str, Field(max_length=63), _AsWritten(), _Matches(DNS_LABEL, "a name", "chat-8b")]
"""A DNS label, for it becomes the name of containers, Services and volumes."""
AdapterName = Annotated[
    str, Field(max_length=63), _AsWritten(), _Matches(ADAPTER_NAME, "the name of an adapter", "sql_lora-v2")
]
"""What clients write in "model", and a directory. Engines read `name=path`, split at commas and colons: they cannot be in it."""


def _is_no_address(value: str) -> str:
    # Neither an Ingress nor an HTTPRoute takes one.
    if re.fullmatch(r"(.*\.)?[0-9]+", value):
        raise problem(
            "LD105", f"`{value}` is an address, not a host name", "leave `host` out, or write a name"
        )
    return value


HostName = Annotated[
    str,
    Field(max_length=253),
    _Matches(HOST_NAME, "a host name", "llm.example.com"),
    AfterValidator(_is_no_address),
]
EnvName = Annotated[str, _Matches(ENV_NAME, "the name of an environment variable", "HF_TOKEN")]
ObjectName = Annotated[
    Text, _Matches(OBJECT_NAME, "the name of a Kubernetes object", "fast"), Field(max_length=253)
]
RuntimeClass = Annotated[
    str, _Matches(OBJECT_NAME.replace("^", "^(").replace("$", ")?$"), "the name of a RuntimeClass", "nvidia")
]
"""May be empty: the node's own runtime."""
ImageName = Annotated[Text, _Matches(IMAGE, "the name of an image", "registry.example.com/vllm:v0.33.0")]
SecretKey = Annotated[Text, _Matches(SECRET_KEY, "a key of a Kubernetes Secret", "token")]
HubId = Annotated[Text, _Matches(HUB_ID, "a Hub id", "Qwen/Qwen3-8B")]
RoutePath = Annotated[str, _Matches(SEGMENTS, "a path of segments of letters, digits and `._~-`", "/chat")]
Capability = Annotated[Text, _Matches(CAPABILITY, "a compute capability", '"8.9"')]
Size = Annotated[float, BeforeValidator(_gib), WithJsonSchema({"type": "string", "pattern": SIZE})]
"""GiB."""
Duration = Annotated[int, BeforeValidator(_seconds), WithJsonSchema({"type": "string", "pattern": DURATION})]
"""Whole seconds."""
Count = Annotated[int, Field(ge=1, le=65536)]
CountOrAuto = Annotated[int, Field(ge=1, le=65536), _OrAuto()]
Tokens = Annotated[int, Field(ge=1, le=1 << 30)]
TokensOrAuto = Annotated[int, Field(ge=1, le=1 << 30), _OrAuto()]
Port = Annotated[int, Field(ge=1, le=65535)]
Fraction = Annotated[float, Field(gt=0, le=1)]

"""The Bentos of OpenLLM: which model a tag serves, with what, on which GPUs, and which arguments it takes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from msgspec import Struct

from llmdeploy.catalog.rows import rows

Literal = str | int | float | bool | list[object] | dict[str, object] | None


class BentoArg(Struct, frozen=True):
    """A field of the Bento's `BentoArgs`, set by `bentoml serve --arg name=value`."""

    name: str
    #: The annotation as written: "int", "bool", "dict[str, typing.Any]".
    type: str
    #: "…" stands for a text of several lines (a chat template).
    default: Literal


class Bento(Struct, frozen=True):
    """One directory of bentoml/openllm-models."""

    #: The full tag, "llama3.3:70b-instruct-c968".
    tag: str
    #: The short ones, "llama3.3:70b".
    aliases: tuple[str, ...]
    hub_id: str
    #: Commit of the model at which the Bento was built.
    revision: str
    #: Directory in the repository; its service is in src/.
    path: str
    vllm: str
    bentoml: str
    python: str
    requirements: tuple[str, ...]
    #: BentoCloud's name of the GPU it was made for, and how many.
    gpu_type: str
    gpus: int
    tensor_parallel: int
    #: Tokens of one request, unless --arg max_model_len says otherwise; None: the model's own maximum.
    max_model_len: int | None
    #: The service overrides the container's environment with those that have a value; one without (HF_TOKEN)
    #: must be set, be it to nothing, or `bentoml serve` refuses to start (_bentoml_impl/server/serving.py).
    env: Mapping[str, str]
    #: Shell lines that its image runs after installing the requirements.
    post_commands: tuple[str, ...]
    #: By name. A key that is not here is ignored by the service without a word.
    args: Mapping[str, BentoArg]


class Bentos(Struct, frozen=True):
    """All Bentos of one commit."""

    repository: str
    commit: str
    date: str
    #: The requirements pin only the first level: resolve the rest as PyPI stood before this day.
    resolve_before: str
    all: tuple[Bento, ...]


def bento(tag: str) -> Bento | None:
    """The Bento of a full tag or of one of its aliases; case does not matter."""
    return _by_tag().get(tag.strip().lower())


@cache
def bentos() -> Bentos:
    content = rows("bentos")
    return Bentos(**content["provenance"], all=tuple(map(_bento, content["bentos"])))


@cache
def _by_tag() -> dict[str, Bento]:
    return {tag: known for known in bentos().all for tag in (known.tag, *known.aliases)}


def _bento(row: dict[str, object]) -> Bento:
    """Frozen all the way down: lists become tuples, mappings become views."""
    args = row["args"]
    assert isinstance(args, dict)
    frozen = {key: tuple(value) if isinstance(value, list) else value for key, value in row.items()}
    frozen["args"] = MappingProxyType({name: BentoArg(name, **arg) for name, arg in args.items()})
    return Bento(**frozen)  # type: ignore[arg-type]  # checked against schemas/catalog/bentos.schema.json

"""What a release of an engine can run: GPUs, CUDA, types, shapes and quantizations. Checks read it as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct, field

from llmdeploy.catalog import Method
from llmdeploy.catalog.versions import within


class Cuda(Struct, frozen=True):
    """The CUDA of the image, and which NVIDIA GPUs it has code for (90 is compute capability 9.0)."""

    version: str
    driver: int
    """The least major of NVIDIA's driver."""
    lowest: int
    highest: int | None = None


class Vision(Struct, frozen=True):
    """Encoders whose heads are split over the tensor-parallel GPUs, and the argument that leaves them whole."""

    architectures: frozenset[str] = frozenset()
    whole: Mapping[str, Any] = field(default_factory=dict)


class Kernels(Struct, frozen=True):
    """Attention that reads a type of KV cache: on GPUs of these major compute capabilities, of heads of these sizes."""

    capabilities: tuple[int, ...]
    heads: tuple[int, ...]


class Limits(Struct, frozen=True):
    """Of one release. The defaults are those of an engine of which nothing is known."""

    cuda: Cuda | None = None
    no_float16: frozenset[str] = frozenset()
    """Values of model_type."""
    kv_heads: Literal["copied", "split"] = "copied"
    """Whether KV heads that are fewer than the GPUs are copied, or must divide as well."""
    vocabulary: int | None = None
    """The vocabulary is padded to a multiple of this before it is split; None: to whatever divides."""
    even_experts: bool = False
    """Whether each expert-parallel rank must have the same number of experts."""
    vision: Vision = Vision()
    mtp: frozenset[str] | None = None
    """Architectures, and values of model_type, whose own layers can draft; None: not known."""
    caches: Mapping[str, tuple[Kernels, ...]] = field(default_factory=dict)
    """By the type of a KV cache, what reads it; of what is not here, everything does. None reads one of latent attention."""
    serves: tuple[str, ...] = ("hub", "path")
    """Kinds of source."""
    methods: tuple[Method, ...] = ()


def limits(
    rows: Iterable[Mapping[str, Any]], version: str, serves: tuple[str, ...], methods: tuple[Method, ...]
) -> Limits:
    """Join the rows of an `engine.yaml` that are about this release."""
    found: dict[str, Any] = {}
    for row in rows:
        if within(version, row.get("since"), row.get("until")):
            found |= {key: _read(key, value) for key, value in row.items() if key in _FIELDS}
    return Limits(serves=serves, methods=methods, **found)


_FIELDS = ("cuda", "no_float16", "kv_heads", "vocabulary", "even_experts", "vision", "mtp", "caches")


def _read(key: str, value: Any) -> Any:
    if key == "cuda":
        return Cuda(**value)
    if key == "vision":
        return Vision(frozenset(value["architectures"]), value["whole"])
    if key == "caches":
        return {dtype: tuple(_kernels(row) for row in rows) for dtype, rows in value.items()}
    return frozenset(value) if key in ("no_float16", "mtp") else value


def _kernels(row: Mapping[str, Any]) -> Kernels:
    return Kernels(tuple(row["capabilities"]), tuple(row["heads"]))

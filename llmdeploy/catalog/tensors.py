"""Types of tensors, as the headers of safetensors and GGUF files call them, and what a tensor takes."""

from __future__ import annotations

import math
from functools import cache

from msgspec import Struct

from llmdeploy.catalog.rows import rows


class TensorType(Struct, frozen=True):
    """A block of `elements` values takes `bytes`; ggml's quantized types keep their scales in the block."""

    name: str
    elements: int
    bytes: int
    source: str
    #: The number of the type in a GGUF file; None: safetensors alone has it.
    ggml: int | None = None


def ggml_type(number: int) -> TensorType | None:
    return _by_number().get(number)


def tensor_bytes(dtype: str, shape: tuple[int, ...]) -> int | None:
    """Bytes of a tensor; None for a type that is not known, or a shape that does not fill its blocks."""
    known = tensor_types().get(dtype)
    if known is None:
        return None
    blocks, rest = divmod(math.prod(shape), known.elements)
    return None if rest else blocks * known.bytes


@cache
def tensor_types() -> dict[str, TensorType]:
    """All types by name. A name that both formats have means the same in both."""
    return {row["name"]: TensorType(**row) for row in rows("tensor_types")}


@cache
def _by_number() -> dict[int, TensorType]:
    return {known.ggml: known for known in tensor_types().values() if known.ggml is not None}

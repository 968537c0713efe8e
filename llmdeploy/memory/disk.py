"""The bytes of a checkpoint as it is stored: what is fetched once, and read at every start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdeploy.catalog.tensors import tensor_bytes
from llmdeploy.memory.architecture import shape
from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.model import Model, Tensor
from llmdeploy.memory.scheme import WIDTHS, scheme
from llmdeploy.memory.shape import Part, Shape
from llmdeploy.memory.weights import Bulk, Cut, Loading


def bytes_on_disk(model: Model) -> int:
    """Return them: from the headers of the weights, else from config.json.

    All that is in the checkpoint counts, whether an engine loads it or not, in the checkpoint's own types: what
    is quantized while it loads is read whole. Raises UnmodelledError.
    """
    if model.tensors:
        return sum(_stored(name, tensor) for name, tensor in model.tensors.items())
    return _computed(model.config)


def _stored(name: str, tensor: Tensor) -> int:
    size = tensor_bytes(tensor.dtype, tensor.shape)
    if size is None:
        raise UnmodelledError("weights", f"the size of `{name}`, which is {tensor.dtype}, is not known")
    return size


def _computed(config: Mapping[str, Any]) -> int:
    made = shape(config)
    width = WIDTHS.get(made.dtype)
    if width is None:
        raise UnmodelledError("dtype", f"`{made.dtype}` is not modelled")
    cut = Cut(Loading(scheme(config), float(width), pad_vocab=1), tensor=1)
    bulk = Bulk(cut)
    for index, layer in enumerate(made.layers):
        bulk.layer(layer.parts, index)
    rest = sum(cut.size(part, path) for part, path in _others(made))
    return int(bulk.dense + bulk.experts + rest + sum(cut.tower(part) for part in made.vision))


def _others(made: Shape) -> Iterator[tuple[Part, str]]:
    """Yield what lies outside of the layers, and its path; a tied output layer is stored once."""
    for part in (made.embedding, made.head, *made.ends, *made.last):
        if part is not None:
            yield part, part.module
    for layer in made.drafter:
        for part in layer.parts:
            yield part, f"mtp.{part.module}"

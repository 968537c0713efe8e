"""The headers of a checkpoint against its config.json: whether they can be of one model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from llmdeploy.memory.architecture import shape
from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.headers import LAYER, TOWER, weigh_headers
from llmdeploy.memory.model import Model, Split, Tensor
from llmdeploy.memory.scheme import WIDTHS, scheme
from llmdeploy.memory.shape import Layer, Shape
from llmdeploy.memory.weights import GIB, Loading, weigh

LEAST, MOST = 0.75, 1.5
"""Of what config.json comes to, what the headers may state. In 70 recorded starts config.json is off by 2.5 % at most; what it
cannot tell of is beside the model (buffers that old exports keep), so that more is allowed than less."""
_EMBEDDINGS = ("embed_tokens.weight", "wte.weight", "word_embeddings.weight", "embeddings.weight")
_WHOLE = ("BF16", "F16", "F32", "F8_E4M3")
"""Types of a weight that is stored as it is, an element a parameter; others pack several."""


def doubt(model: Model) -> str | None:
    """Return why the tensors cannot be those of the config, as a clause; None where they can, or where it cannot be told."""
    tensors = model.tensors
    if not tensors or model.is_gguf:
        return None
    try:
        made = shape(model.config)
        loading = _loading(model, made)
    except UnmodelledError:
        return None
    own = {name: tensor for name, tensor in tensors.items() if not TOWER.search(name)}
    found = (*_missing(own, made), *_widths(own, made), *_size(own, made, loading))
    return found[0] if found else None


def _missing(tensors: Mapping[str, Tensor], made: Shape) -> Iterator[str]:
    """Where layers have names at all, each has some: engines say which weights were not initialized."""
    there = {int(found[1]) for name in tensors if (found := LAYER.search(name)) is not None}
    lacking = [index for index in range(len(made.layers)) if index not in there]
    if there and lacking:
        which = (
            f"layer {lacking[0]}"
            if len(lacking) == 1
            else f"{len(lacking)} of them, layer {lacking[0]} first"
        )
        yield f"config.json states {len(made.layers)} layers, and the weights lack {which}"


def _widths(tensors: Mapping[str, Tensor], made: Shape) -> Iterator[str]:
    """Engines copy a tensor into one of the shape that config.json makes, and assert that it is the same."""
    expected = {id(layer): dict(_shapes(layer)) for layer in made.layers}
    for name, tensor in tensors.items():
        if len(tensor.shape) != 2 or tensor.dtype not in _WHOLE:
            continue
        found = LAYER.search(name)
        if found is None and name.endswith(_EMBEDDINGS) and made.family != "opt":  # OPT may project its own
            if tensor.shape[0] < made.vocab or tensor.shape[1] != made.hidden:
                yield _other(name, tensor, (made.vocab, made.hidden), "`vocab_size` and `hidden_size`")
        elif found is not None and int(found[1]) < len(made.layers) and "mtp." not in name:
            wanted = expected[id(made.layers[int(found[1])])].get(name[found.end() :].removesuffix(".weight"))
            if wanted is not None and wanted != tensor.shape:
                yield _other(name, tensor, wanted, "config.json")


def _shapes(layer: Layer) -> Iterator[tuple[str, tuple[int, int]]]:
    return ((part.module, (part.out, part.into)) for part in layer.parts if part.linear and part.count == 1)


def _other(name: str, tensor: Tensor, wanted: tuple[int, int], by: str) -> str:
    stated = " × ".join(map(str, tensor.shape))
    return f"`{name}` is {stated}, and by {by} it would be {wanted[0]} × {wanted[1]}"


def _size(tensors: Mapping[str, Tensor], made: Shape, loading: Loading) -> Iterator[str]:
    made, every = replace(made, rope=0), range(len(made.layers))
    there = sum(line.gib for line in weigh_headers(tensors, made, loading, Split(), every))
    stated = sum(line.gib for line in weigh(made, loading, Split(), every))
    if not LEAST * stated <= there <= MOST * stated:
        yield f"the weights take {_gib(there)}, and what config.json describes takes {_gib(stated)}"


def _loading(model: Model, made: Shape) -> Loading:
    """A whole model without its tower, as one rank has it."""
    width = WIDTHS.get(made.dtype)
    if width is None:
        raise UnmodelledError("dtype", f"`{made.dtype}` is not modelled")
    own = width if width < 4 else 2
    return Loading(scheme(model.config), float(own), pad_vocab=1, tower=False, caching=False)


def _gib(size: float) -> str:
    if size >= 0.1:
        return f"{size:.1f} GiB"
    return f"{size * 1024:.1f} MiB" if size * 1024 >= 1 else f"{size * GIB:,.0f} bytes"

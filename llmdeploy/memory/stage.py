"""One pipeline stage of a replica: what its ranks hold of the weights, and how they divide the KV cache."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct
from msgspec.structs import replace

from llmdeploy.memory.architecture import shape
from llmdeploy.memory.errors import RefusedError, UnmodelledError
from llmdeploy.memory.kv import Pool, Storage, pool
from llmdeploy.memory.model import Drafter, Line, Model, Question
from llmdeploy.memory.scheme import WIDTHS, Scheme, scheme
from llmdeploy.memory.shape import Cache, Shape
from llmdeploy.memory.weights import Loading, adapted, adapted_experts, stages, weigh

CPU = "cpu"
"""The vendor of a node without GPUs."""
_NO_WEIGHTS = ("ngram", "suffix")
_STATED = "the weights are computed from what llm.yaml states under `architecture`, not read from the headers of the checkpoint"
_ESTIMATED = "the weights are computed from config.json, not read from the headers of the checkpoint"


class Stage(Struct, frozen=True):
    """`weights` are the lines of each of its ranks."""

    index: int
    first: bool
    last: bool
    layers: range
    weights: tuple[Line, ...]
    caches: tuple[Cache, ...]
    pool: Pool

    @property
    def weights_gib(self) -> float:
        return sum(line.gib for line in self.weights)


class Read(Struct, frozen=True):
    """A model's shape and scheme, as a question sets them."""

    shape: Shape
    scheme: Scheme
    width: float
    """Bytes of an element of the model's dtype."""
    notes: tuple[str, ...] = ()


_LONGEST_DRAFT = 64
"""Tokens: some times what any log that was compared has, and more than a drafter gets right."""


def read(question: Question, *, host: bool = False) -> Read:
    """Read the model; what the engine quantizes while it loads is part of it. `host`: the engine's equation knows CPUs."""
    if question.card.vendor not in ("nvidia", "amd") and not (host and question.card.vendor == CPU):
        raise UnmodelledError("card", f"how memory is shared out on `{question.card.vendor}` is not modelled")
    if question.model.doubt is not None:
        raise UnmodelledError("contradiction", question.model.doubt)
    made = shape(question.model.config)
    # Engines run fp32 checkpoints in 16 bits unless they are told not to (vLLM 0.33, config/model.py).
    own = made.dtype if made.dtype not in ("float32", "float") else "bfloat16"
    stated = question.dtype if question.dtype != "auto" else own
    width = WIDTHS.get(stated)
    if width is None:
        raise UnmodelledError("dtype", f"`{stated}` is not modelled")
    found = scheme(question.model.config, question.quantization)
    _divisible(question, made)
    if question.drafter is not None and question.drafter.tokens > _LONGEST_DRAFT:
        what = f"drafts of {question.drafter.tokens} tokens, whose logits are held at once,"
        raise UnmodelledError("drafter", f"what {what} take is not modelled")
    return Read(made, found, float(width), tuple(_sources(question.model)))


def _sources(model: Model) -> Iterator[str]:
    """Yield what is to be known of where the facts are from."""
    if model.tensors is None:
        yield _STATED if model.stated == ("*",) else _ESTIMATED
    if model.stated and model.stated != ("*",):
        named = ", ".join(f"`{key}`" for key in model.stated)
        yield f"stated under `architecture` in llm.yaml, beside what is known of the model: {named}"


def _divisible(question: Question, made: Shape) -> None:
    """Refuse what engines do not start with (vLLM 0.33, config/model.py, verify_with_parallel_config, and linear.py)."""
    tensor = question.split.tensor
    if made.heads % tensor:
        raise RefusedError("split", f"{made.heads} heads cannot be divided over {tensor} ranks")
    if made.kv_heads % tensor and tensor % made.kv_heads:
        raise RefusedError(
            "split", f"{made.kv_heads} KV heads can neither be divided over {tensor} ranks nor repeated"
        )
    if len(made.layers) < question.split.pipeline:
        raise RefusedError(
            "split", f"{len(made.layers)} layers are fewer than {question.split.pipeline} stages"
        )


def staged(question: Question, known: Read, loading: Loading, storage: Storage) -> tuple[Stage, ...]:
    """Size every stage of one replica."""
    made, split = known.shape, question.split
    vocab = -(-made.vocab // loading.pad_vocab) * loading.pad_vocab
    if vocab % split.tensor and loading.pad_vocab > 1:
        raise RefusedError("split", f"a vocabulary of {vocab} cannot be divided over {split.tensor} ranks")
    found = []
    for index, layers in enumerate(stages(len(made.layers), split.pipeline)):
        last = index == split.pipeline - 1
        if question.model.tensors is not None and question.quantization is None:
            from llmdeploy.memory.headers import weigh_headers  # its patterns take a while to compile

            lines = weigh_headers(question.model.tensors, made, loading, split, layers)
        else:
            lines = weigh(made, loading, split, layers)
        caches = [cache for i in layers if (cache := made.layers[i].cache) is not None]
        if question.adapters is not None:
            lines = (*lines, adapted(made, question.adapters, loading, split, layers))
            if routed := adapted_experts(made, question.adapters, loading, split, layers):
                lines = (*lines, routed)
        if question.drafter is not None and last:
            drafted, further = _drafted(question.drafter, question, made, loading)
            lines, caches = (*lines, *drafted), [*caches, *further]
        found.append(
            Stage(index, index == 0, last, layers, lines, tuple(caches), pool(caches, split.tensor, storage))
        )
    return tuple(found)


def _drafted(
    drafter: Drafter, question: Question, made: Shape, loading: Loading
) -> tuple[tuple[Line, ...], list[Cache]]:
    """Return the lines and the caches of what drafts."""
    if drafter.method in _NO_WEIGHTS:
        return (), []
    if drafter.method == "mtp":
        if not made.drafter:
            raise UnmodelledError("drafter", "config.json states no layers of multi-token prediction")
        return (), [layer.cache for layer in made.drafter if layer.cache is not None]
    if drafter.model is None:
        raise UnmodelledError("drafter", f"the config.json of the `{drafter.method}` drafter is not known")
    if not drafter.model.config:
        text = (
            f"no config.json of `{drafter.model.id}` is known; read it with `--online`, or name a local copy"
        )
        raise UnmodelledError("drafter", text)
    try:
        own, alike = shape(drafter.model.config), scheme(drafter.model.config)
    except UnmodelledError as stop:
        raise UnmodelledError("drafter", f"`{drafter.model.id}`: {stop}") from None
    alone = replace(loading, scheme=alike, drafting=False, expert_ranks=question.split.tensor)
    lines = weigh(own, alone, question.split, range(len(own.layers)))
    named = tuple(Line("weights", line.gib, f"drafter {drafter.model.id}: {line.rule}") for line in lines)
    return named, [layer.cache for layer in own.layers if layer.cache is not None]

"""Models of the Hugging Face Hub: the facts that checks need where config.json cannot be read."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from msgspec import Struct

from llmdeploy.catalog.rows import Row, lineage, rows, sources


class ModelFacts(Struct, frozen=True):
    """Facts of one checkpoint, from its config.json; None where the source does not state it.

    A field that stands under `text_config` there is of the language model.
    """

    id: str
    source: str
    model_type: str | None = None
    architectures: tuple[str, ...] = ()
    #: Of the weights that are not quantized: bfloat16, float16, float32.
    dtype: str | None = None
    layers: int | None = None
    hidden_size: int | None = None
    #: Of a dense layer's MLP; the experts' is their own.
    intermediate_size: int | None = None
    moe_intermediate_size: int | None = None
    #: Query heads; tensor parallelism must divide them.
    heads: int | None = None
    #: Key and value heads.
    kv_heads: int | None = None
    head_dim: int | None = None
    #: Latent attention (DeepSeek, Kimi): the cache holds one vector of this size, and no KV heads.
    kv_lora_rank: int | None = None
    #: Routed experts of one layer; 0 for a dense model.
    experts: int | None = None
    experts_per_token: int | None = None
    #: Entries of the vocabulary.
    vocab: int | None = None
    #: Whether the output layer is the embedding.
    tied: bool | None = None
    #: Tokens: max_position_embeddings, with any rope factor of the config already in it.
    max_context: int | None = None
    #: Of a LongRoPE: the length before it is scaled, which vLLM takes while no context is stated.
    unscaled_context: int | None = None
    sliding_window: int | None = None
    vision_heads: int | None = None
    vision_hidden_size: int | None = None
    #: How the weights are quantized (facts/checkpoint.py): `plain`, `awq`, `modelopt/nvfp4` …; None: not known.
    quantization: str | None = None
    quantization_bits: int | None = None
    quantization_group: int | None = None
    #: Output and input features that share a scale.
    quantization_block: tuple[int, ...] | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """What llm.yaml may call this quantization."""
        return words(self.quantization, self.quantization_bits)


_WORDS = {
    "awq": ("awq",),
    "gptq": ("gptq",),
    "bitsandbytes": ("bitsandbytes",),
    "fp8": ("fp8",),
    "fbgemm_fp8": ("fp8",),
    "mxfp4": ("mxfp4",),
    "modelopt/fp8": ("fp8",),
    "modelopt/nvfp4": ("nvfp4",),
    "compressed-tensors/w8a8-fp8": ("fp8",),
    "compressed-tensors/w8a16-fp8": ("fp8",),
    "compressed-tensors/w8a8-int8": ("int8",),
    "compressed-tensors/w8a16": ("int8",),
    "compressed-tensors/w4a16": ("int4",),
    "compressed-tensors/nvfp4": ("nvfp4",),
    "compressed-tensors/nvfp4a16": ("nvfp4",),
    "compressed-tensors/mxfp4": ("mxfp4",),
    "compressed-tensors/mxfp4a16": ("mxfp4",),
}
_BITS = {"awq": (4,), "gptq": (4, 8), "bitsandbytes": (4, 8)}


def words(format: str | None, bits: int | None = None) -> tuple[str, ...]:
    """Return what llm.yaml may call a format of checkpoints: AWQ with 4 bits is `awq`, and `int4` as well."""
    known = _WORDS.get(format or "", ())
    return (*known, f"int{bits}") if bits in _BITS.get(format or "", ()) else known


_NAMED = {
    "awq": ("awq", "int4"),
    "gptq": ("gptq", "int4", "int8"),
    "fp8": ("fp8",),
    "nvfp4": ("nvfp4",),
    "mxfp4": ("mxfp4",),
    "bnb": ("bitsandbytes", "int4", "int8"),
    "gguf": ("gguf",),
    "w4a16": ("int4",),
    "w8a16": ("int8",),
    "w8a8": ("int8", "fp8"),
}
"""What people put into the name of a repository -> what llm.yaml may call the quantization, the plainest first."""


def named(hub_id: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the quantization that the name of a repository speaks of, and its words in llm.yaml."""
    parts = re.split(r"[-_.]", hub_id.rpartition("/")[2])
    found = next((part for part in parts if part.lower() in _NAMED), None)
    return (found, _NAMED[found.lower()]) if found else None


@cache
def model(hub_id: str) -> ModelFacts | None:
    """The facts of a Hub id. Case does not matter: the Hub has no two ids that differ by it."""
    found = lineage("models", hub_id)
    return _facts(found) if found else None


def models() -> dict[str, ModelFacts]:
    """All facts by lower-case id."""
    ids = [row["id"] for row in rows("models")]
    return {id.lower(): _facts(lineage("models", id)) for id in ids}


def gated(hub_id: str) -> bool:
    """Whether the Hub is known to ask for an accepted licence, hence a token. False also means not known."""
    name = hub_id.lower()
    # By the text before its first `*` alone first: a pattern takes its time to compile.
    likely = (pattern for pattern in _gates() if name.startswith(pattern.partition("*")[0]))
    return any(fnmatchcase(name, pattern) for pattern in likely)


def _facts(lineage: list[Row]) -> ModelFacts:
    """Put together what a checkpoint states with what it is like."""
    stated: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for row in lineage
        for name, value in row.items()
        if name != "like"
    }
    return ModelFacts(**stated | {"source": sources(lineage)})


@cache
def _gates() -> tuple[str, ...]:
    return tuple(row["pattern"].lower() for row in rows("gated"))

"""Models of the Hugging Face Hub: the few facts that checks need where config.json cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from llmdeploy.catalog.rows import rows


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """Facts of one checkpoint, from its config.json; None where the source does not state it."""

    id: str
    model_type: str | None
    #: Query heads; tensor parallelism must divide them.
    heads: int
    #: Key and value heads. With multi-head latent attention (DeepSeek, Kimi) the cache holds none of them.
    kv_heads: int | None
    #: Tokens: max_position_embeddings, with any rope factor of the config already in it.
    max_context: int | None
    #: Entries of the vocabulary; engines pad it to a multiple of 64 and split that.
    vocab: int
    #: Routed experts of one layer; None for a dense model.
    experts: int | None
    #: What the checkpoint is, in the words of llm.yaml; `mixed`: several schemes, None: plain weights.
    quantization: str | None
    source: str


def model(hub_id: str) -> ModelFacts | None:
    """The facts of a Hub id. Case does not matter: the Hub has no two ids that differ by it."""
    return models().get(hub_id.lower())


def gated(hub_id: str) -> bool:
    """Whether the Hub is known to ask for an accepted licence, hence a token. False also means not known."""
    return any(fnmatchcase(hub_id.lower(), pattern) for pattern in _gates())


@cache
def models() -> dict[str, ModelFacts]:
    """All facts by lower-case id."""
    return {row["id"].lower(): ModelFacts(**row) for row in rows("models")}


@cache
def _gates() -> tuple[str, ...]:
    return tuple(row["pattern"].lower() for row in rows("gated"))

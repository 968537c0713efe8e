"""The question that an engine's memory equation answers, and the ledger that it answers with.

Sizes are GiB (2^30 bytes) unless a name says bytes; lengths are tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct


class Card(Struct, frozen=True):
    """One GPU as an engine sees it; the node's memory where `vendor` is cpu.

    `memory_gib` is what the driver hands to a process, not the figure on the box. `id` is its row of the catalog.
    """

    vendor: str
    memory_gib: float
    id: str | None = None
    name: str = ""
    capability: str | None = None
    arch: str | None = None


class Split(Struct, frozen=True):
    """How one replica is spread over its GPUs: tensor × pipeline × data of them."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    expert: bool = False
    decode_context: int = 1
    """vLLM's --decode-context-parallel-size: ranks that share one copy of the KV cache."""

    @property
    def gpus(self) -> int:
        return self.tensor * self.pipeline * self.data


class Tensor(Struct, frozen=True):
    """A tensor of the checkpoint as its header states it: safetensors' word for the type, and the shape."""

    dtype: str
    shape: tuple[int, ...]


class Model(Struct, frozen=True):
    """What is known of a checkpoint. `config` is its config.json, or as much of it as the source states.

    `tensors` are the headers of its weights, by name, where they can be read. `source` says where all this is from,
    for the rules of the ledger.
    """

    id: str
    source: str
    config: Mapping[str, Any]
    tensors: Mapping[str, Tensor] | None = None
    doubt: str | None = None
    """Why `tensors` cannot be those of `config`, where that is so: neither is then believed."""
    stated: tuple[str, ...] = ()
    """Keys of `config` that are as llm.yaml states them, and not as its source does; `*` where there is no other source."""

    @property
    def is_gguf(self) -> bool:
        """Whether the tensors have the names that llama.cpp gives them, in a file of GGUF."""
        return any(name.startswith(("blk.", "token_embd.")) for name in self.tensors or ())


class Drafter(Struct, frozen=True):
    """`method` is ngram, draft, eagle, eagle3, mtp or medusa; `model` what it loads of its own."""

    method: str
    tokens: int
    model: Model | None = None


class Adapters(Struct, frozen=True):
    """LoRA: how many can be on the GPU at once, and the largest rank."""

    slots: int
    rank: int


class Calibration(Struct, frozen=True):
    """What a start of an engine says of other plans."""

    places: int = 2
    """How many numbers of a version name the releases between which its memory does not change: 0.33 of vLLM 0.33.1."""
    loses: tuple[str, ...] = ("weights", "activation", "nontorch", "cuda_graphs")
    """The terms that the KV pool makes room for: where one takes a GiB more than predicted, the pool has one less."""
    of_free: bool = False
    """The pool is a share of what is free before loading: of what is not PyTorch's, it loses that share only."""

    def release(self, version: str | None) -> str:
        """Return the part of a version within which its memory does not change."""
        return ".".join((version or "").removeprefix("v").split(".")[: self.places])


class Question(Struct, frozen=True):
    """One replica of one model on one kind of card, under one engine release.

    None means that llm.yaml does not state it: the engine's own default for this release and card holds.
    `version` is None where it is not known (a log that does not say); the newest release's rules then hold.
    """

    engine: str
    version: str | None
    model: Model
    card: Card
    split: Split = Split()
    fraction: float | None = None
    """The engine's own: of the whole card for vLLM, mem_fraction_static for SGLang, CUDA_MEMORY_FRACTION for TGI."""
    card_fraction: float | None = None
    """What everything together may take of the card, as llm.yaml states it: the engine's own is found from it."""
    share: float | None = None
    """Of the card, for all that the engine takes there, where other models have the rest: its fraction follows from it."""
    kv_bytes: int | None = None
    """A pinned pool of each rank; `fraction` then does not matter."""
    kv_tokens: int | None = None
    """The most tokens of a pool that is measured, where the engine is told so."""
    context: int | None = None
    concurrency: int | None = None
    batch_tokens: int | None = None
    block_size: int | None = None
    dtype: str = "auto"
    quantization: str | None = None
    """What the engine quantizes while it loads (`fp8` over a bf16 checkpoint); None: the checkpoint as it is."""
    kv_dtype: str = "auto"
    prefix_caching: bool = True
    eager: bool = False
    """No CUDA graphs."""
    adapters: Adapters | None = None
    drafter: Drafter | None = None
    items: Mapping[str, int] | None = None
    """Multi-modal items of one prompt, by kind: one that is not named is left to the engine, which allows it; None: all are.
    Empty, or no images and no videos: language model only."""
    embed: bool = False
    options: Mapping[str, Any] | None = None
    """`engine_args`, in whatever spelling: what they change of the memory is the engine's to say."""
    env: Mapping[str, str] | None = None
    """Variables of the engine's environment."""
    calibration: Calibration = Calibration()
    """The engine's, for what was measured of it."""
    used_gib: float = 0.0
    """What other processes on the same card hold before this one starts."""

    @property
    def sees(self) -> bool:
        """Whether a vision tower is loaded, where the model has one."""
        if not self.items:
            return self.items is None
        return any(self.items.get(kind, 1) for kind in ("image", "video"))


class Verdict(StrEnum):
    FITS = "FITS"
    TIGHT = "TIGHT"
    """It should fit, by less than the equation's own error."""
    NO = "NO"
    UNKNOWN = "UNKNOWN"


class Line(Struct, frozen=True):
    """One entry: `term` is weights, activation, nontorch, cuda_graphs or kv; `rule` says how it came about."""

    term: str
    gib: float
    rule: str


class Rank(Struct, frozen=True):
    """One GPU of the replica. Each sum is that of its lines."""

    stage: int
    rank: int
    weights_gib: float
    activation_gib: float
    nontorch_gib: float
    cuda_graphs_gib: float
    kv_gib: float
    lines: tuple[Line, ...] = ()


class Ledger(Struct, frozen=True):
    """What the engine will compute at start-up.

    `margin_gib` is what is left for KV beyond one request of `context`, on the tightest rank (negative: what lacks).
    `usable_gib` is what the engine takes of one card at most. `kv_tokens` is what it will print; `requests_at_context`
    how many requests of full length fit (vLLM's "Maximum concurrency"); `max_sequences` how many short ones can run
    at once. `bytes_per_token` is of one rank. UNKNOWN has a `reason` that begins with its rule's id, and whatever
    numbers could be had. The settings that were taken for None come back as well.
    """

    verdict: Verdict
    margin_gib: float | None = None
    usable_gib: float | None = None
    ranks: tuple[Rank, ...] = ()
    kv_tokens: int | None = None
    requests_at_context: float | None = None
    max_sequences: int | None = None
    bytes_per_token: int | None = None
    reason: str | None = None
    context: int | None = None
    concurrency: int | None = None
    batch_tokens: int | None = None
    fraction: float | None = None
    bounded: bool = False
    """`concurrency` is what the pool can start with, where the engine's own default is more."""
    kv_bytes_per_request: int | None = None
    """Of one request of `context`, on the tightest rank."""
    limit: str | None = None
    """The flag among `engine_args` for which one request finds no room, and not for what the card has."""
    pinned: bool = False
    """The pool has a size of its own, whatever else is left."""
    notes: tuple[str, ...] = ()
    """What the reader must know of how sure this is: estimated weights (±25 %), a correction that was used."""

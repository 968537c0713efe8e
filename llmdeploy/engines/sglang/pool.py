"""How SGLang divides what its share leaves: states of running requests, tokens of all layers, tokens of a window.

Source: SGLang 0.5.23, srt/mem_cache/kv_cache_configurator.py (_handle_max_mamba_cache) and
srt/model_executor/pool_configurator.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from llmdeploy.engines.sglang.options import Own
from llmdeploy.memory.kv import Storage, state_bytes, token_bytes
from llmdeploy.memory.model import Question
from llmdeploy.memory.scheme import WIDTHS
from llmdeploy.memory.stage import Read, Stage
from llmdeploy.memory.weights import GIB

if TYPE_CHECKING:
    from llmdeploy.engines.sglang.memory import Taken

_ANY = 1 << 40
"""Tokens of a model that caches none."""


class Tokens(Struct, frozen=True):
    """A rank's pool: what a token takes, where layers with a window keep `ratio` of all tokens, and states."""

    full: float
    windowed: float
    ratio: float
    state: float

    @property
    def each(self) -> float:
        return self.full + self.windowed * self.ratio


def storage_of(question: Question, known: Read, taken: Taken) -> Storage:
    own = taken.own
    stated = question.kv_dtype if question.kv_dtype != "auto" else known.scheme.kv_dtype
    if known.shape.indexed:
        stated = stated or ("fp8" if taken.value("indexed_fp8") else None)
    packed = known.shape.indexed and (stated or "").startswith("fp8")
    return Storage(
        element=known.width if stated is None else float(WIDTHS.get(stated, 1)),
        latent=taken.value("indexed_latent") or None if packed else None,
        conv=known.width,
        ssm=float(WIDTHS.get(own.ssm_dtype or known.shape.ssm_dtype, 4)),
        block=own.page,
        drafted=question.drafter.tokens if question.drafter is not None else 0,
    )


def tokens_of(stage: Stage, question: Question, taken: Taken, storage: Storage) -> Tokens:
    tensor = question.split.tensor
    full = sum(token_bytes(c, tensor, storage) for c in stage.caches if c.kind in ("full", "latent"))
    windowed = sum(token_bytes(c, tensor, storage) for c in stage.caches if c.kind in ("sliding", "chunked"))
    state = sum(state_bytes(c, tensor, storage) for c in stage.caches if c.kind == "state")
    if not full:  # one window for all layers is one pool
        return Tokens(windowed, 0.0, 0.0, state)
    ratio, stated = taken.value("window_ratio"), taken.own.window_ratio
    if taken.own.whole_windows or ratio == 1:
        return Tokens(full + windowed, 0.0, 0.0, state)
    return Tokens(full, windowed, ratio if stated is None else stated, state)


class Budget(Struct, frozen=True):
    """How one stage's ranks divide their share: GiB of states, and of tokens; how many requests have states."""

    tokens: Tokens
    states: float
    offered: float
    """What tokens may have; `kv` is what they take of it."""
    requests: int | None
    own: Own

    @property
    def kv(self) -> float:
        most = self.own.most_tokens
        return self.offered if most is None else min(self.offered, most * self.tokens.each / GIB)

    @property
    def fits(self) -> int:
        """The tokens that the pool holds: whole pages, and no more than are asked for."""
        found = max(0, int(self.kv * GIB // self.tokens.each)) if self.tokens.each else _ANY
        most = found if self.own.most_tokens is None else min(found, self.own.most_tokens)
        return most // self.own.page * self.own.page

    def beyond(self, context: int) -> float:
        """Return the GiB of the pool that are left beside one request, which has whole pages."""
        return self.kv - self.of_one(context)

    def spare(self, context: int) -> float:
        """Return the same, were no most tokens stated: they are no estimate, and what memory offers is one."""
        return self.offered - self.of_one(context)

    def of_one(self, context: int) -> float:
        pages = -(-context // self.own.page)
        return self.tokens.each * pages * self.own.page / GIB


def budget_of(question: Question, taken: Taken, stage: Stage, storage: Storage, left: float) -> Budget:
    held = tokens_of(stage, question, taken, storage)
    if not held.state:
        return Budget(held, 0.0, left, None, taken.own)
    stated, slots = taken.own.state_ratio, taken.value("states_per_request")
    ratio = taken.value("state_ratio") if stated is None else stated
    states = max(0.0, left * ratio / (1 + ratio))
    if question.concurrency is not None:
        states = min(states, question.concurrency * slots * held.state / GIB)
    return Budget(held, states, left - states, int(states * GIB // (held.state * slots)), taken.own)

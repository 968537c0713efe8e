"""What becomes of `quantization`: a word for the engine, nothing to say, or something that cannot be.

The question is put to the tables: what llm.yaml asks for × what the checkpoint is × what the engine's release
makes or loads × what the accelerator can run. The check reports the answer, `resolve` acts on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto

from msgspec import Struct

from llmdeploy.catalog import Method, ModelFacts, formats
from llmdeploy.catalog.hub import words
from llmdeploy.engines.limits import Limits
from llmdeploy.plan.hardware import Hardware


class Problem(Enum):
    QUANTIZED_OTHERWISE = auto()
    NEEDS_CHECKPOINT = auto()
    """The engine loads this, and makes it neither of plain weights nor of a checkpoint it knows nothing of."""
    NEEDS_EXPERTS = auto()
    """The engine makes this of experts only, and the model is dense."""
    UNKNOWN_TO_ENGINE = auto()
    NOT_IN_IMAGE = auto()
    NOT_ON_ACCELERATOR = auto()


class Choice(Struct, frozen=True):
    """`method` is how the weights are run, where that is known; `flag` what the engine is told."""

    method: Method | None = None
    flag: str | None = None
    problem: Problem | None = None
    candidates: tuple[Method, ...] = ()
    """What would do, were it not for the problem; of what an engine lacks, why it does."""


def choose(
    stated: str | None, facts: ModelFacts | None, limits: Limits, pool: Hardware, *, own_image: bool
) -> Choice:
    """`own_image`: the user names the image, which may hold what the engine's own lacks."""
    known = facts.quantization if facts else None
    quantized = known not in (None, "plain")
    wanted = None if stated == "none" else stated
    if quantized and facts and stated is not None and stated not in facts.words:
        return Choice(problem=Problem.QUANTIZED_OTHERWISE)
    if not limits.methods:
        return Choice(flag=None if quantized else wanted)
    if known not in formats() if quantized else wanted is None:
        return Choice()
    found = tuple(_loads(limits, known) if quantized else _words(limits, wanted or "", known is None))
    if not found:
        can_load = not quantized and wanted is not None and any(loadable(limits, wanted))
        if can_load:
            return Choice(problem=Problem.NEEDS_CHECKPOINT)
        why = (each for each in limits.methods if each.does == "lacks" and each.word in (wanted, known))
        return Choice(problem=Problem.UNKNOWN_TO_ENGINE, candidates=tuple(why))
    there = tuple(method for method in found if own_image or method.package is None)
    running = [method for method in there if method.runs_on(pool.vendor, pool.sm, pool.arch)]
    if not there:
        return Choice(problem=Problem.NOT_IN_IMAGE, candidates=found)
    if not running:
        return Choice(problem=Problem.NOT_ON_ACCELERATOR, candidates=there)
    if running[0].experts_only and facts and facts.experts == 0:
        return Choice(problem=Problem.NEEDS_EXPERTS, candidates=there)
    return Choice(running[0], None if quantized else running[0].flag, candidates=there)


def loadable(limits: Limits, word: str) -> Iterator[str]:
    """Yield the formats of checkpoints that llm.yaml may call `word`, and the engine loads."""
    bits = {"int4": 4, "int8": 8}.get(word)
    for method in limits.methods:
        if method.format is not None and method.package is None and word in words(method.format, bits):
            yield method.format


def _loads(limits: Limits, format: str | None) -> Iterator[Method]:
    yield from (method for method in limits.methods if method.format == format)


def _words(limits: Limits, word: str, maybe_quantized: bool) -> list[Method]:
    """Return what the engine calls `word`. A checkpoint that may be such already is one rather than experts alone."""
    return sorted(
        (
            method
            for method in limits.methods
            if word in method.words and method.flag and (method.does == "make" or maybe_quantized)
        ),
        key=lambda method: (method.experts_only, method.does == "load"),
    )

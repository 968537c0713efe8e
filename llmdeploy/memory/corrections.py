"""What engines took beside what was predicted, kept from their start-up logs, and a ledger corrected by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from llmdeploy.memory.model import Card, Ledger, Line, Question, Rank, Verdict
from llmdeploy.memory.verdict import judge

SHIFTED = ("activation", "nontorch", "cuda_graphs")
"""Terms whose correction is a number of GiB."""
COMMON = ("nontorch",)
"""Of them those that are the GPU's and the release's own: of another model the rest says nothing, for its layers and its
vocabulary are others."""
BEGINNING = "calibrated from a start"
"""Of the note by which a ledger says that it was corrected."""


Words = Annotated[str, Meta(min_length=1)]
LARGEST_GIB = 1000.0
"""More than any one GPU has: 288 GiB is the most in 2026. What is said of more is a misprint."""
FACTORS = (0.1, 10.0)
"""Of weights: further from what was predicted is another checkpoint, and no correction."""
Factor = Annotated[float, Meta(ge=FACTORS[0], le=FACTORS[1])]
Shift = Annotated[float, Meta(ge=-LARGEST_GIB, le=LARGEST_GIB)]


class Correction(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One calibrated start: `engine` at a `release` ("0.33", see `Calibration.places`) on a `gpu` of the catalog, over `tensor`
    of them in each of `pipeline` stages.

    `activation`, `nontorch` and `cuda_graphs` are GiB to add on every rank, `weights` is a factor. All but `nontorch` is
    of this `model` only. None: the log does not tell. `log` is the start of its SHA-256.
    """

    engine: Words
    release: Annotated[str, Meta(pattern=r"^\d+(\.\d+)+$")]
    gpu: Words
    tensor: Annotated[int, Meta(ge=1)]
    model: Words
    date: Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\d$")]
    log: Words
    weights: Factor | None = None
    activation: Shift | None = None
    nontorch: Shift | None = None
    cuda_graphs: Shift | None = None
    pipeline: Annotated[int, Meta(ge=1)] = 1

    @property
    def key(self) -> tuple[str, str, str, int, int, str]:
        """What it is about; of two that share it, the newer one counts."""
        return self.engine, self.release, self.gpu, self.tensor, self.pipeline, self.model

    def holds_for(self, start: Start) -> bool:
        """Tell whether it says something of such a start: of another model, only what is not a model's own."""
        same = (self.engine, self.release, self.gpu, self.tensor, self.pipeline) == (
            start.engine,
            start.release,
            start.gpu,
            start.tensor,
            start.pipeline,
        )
        return same and (self.model == start.model or self.of_any_model)

    @property
    def of_any_model(self) -> bool:
        return any(getattr(self, term) is not None for term in COMMON)

    def shifts_for(self, model: str) -> dict[str, float]:
        """Return the GiB to add to each term of a model."""
        terms = SHIFTED if self.model == model else COMMON
        return {term: getattr(self, term) or 0.0 for term in terms}


class Start(Struct, frozen=True):
    """What a correction is asked about. What NCCL takes depends on how many GPUs share a layer, or hand it on."""

    engine: str
    release: str
    gpu: str | None
    tensor: int
    pipeline: int
    model: str


def fitting(question: Question, corrections: Iterable[Correction]) -> Correction | None:
    """Return the correction for a question: that of its own model, else the newest of another."""
    split = question.split
    asked = Start(
        question.engine,
        question.calibration.release(question.version),
        question.card.id,
        split.tensor,
        split.pipeline,
        question.model.id,
    )
    found = [each for each in corrections if each.holds_for(asked)]
    return max(found, key=lambda each: (each.model == question.model.id, each.date), default=None)


def asking(
    memory: Callable[[Question], Ledger], corrections: Sequence[Correction]
) -> Callable[[Question], Ledger]:
    """Return an engine's equation with what was measured: whoever asks it need not know that there is more."""
    if not corrections:
        return memory
    return lambda question: corrected(memory(question), question, corrections)


def corrected(ledger: Ledger, question: Question, corrections: Iterable[Correction]) -> Ledger:
    """Return the ledger after what was measured on this GPU with this release; itself where nothing was."""
    found = fitting(question, corrections)
    if found is None or not ledger.ranks:
        return ledger
    charged = _charged(question, ledger)
    ranks = tuple(_rank(rank, found, question, charged) for rank in ledger.ranks)
    before, after = _kv(ledger.ranks), _kv(ranks)
    moved = ledger.margin_gib is not None and _of_the_pool(ledger)
    margin = (ledger.margin_gib or 0.0) + after - before if moved else ledger.margin_gib
    tokens, requests, sequences = ledger.kv_tokens, ledger.requests_at_context, ledger.max_sequences
    concurrency = ledger.concurrency
    if before > 0:
        # Each is a number of blocks times a constant, so that they go with the pool, to a block.
        share = max(after, 0.0) / before
        tokens = None if tokens is None else int(tokens * share)
        requests = None if requests is None else requests * share
        # Where memory is what bounds it: hybrids, whose state of a short request is as large as of a long one.
        if sequences is not None and sequences != ledger.concurrency:
            sequences = int(sequences * share)
        if ledger.bounded and concurrency is not None:
            concurrency = max(1, int(concurrency * min(share, 1.0)))
    return replace(
        ledger,
        verdict=_verdict(ledger, margin, question.card),
        margin_gib=margin,
        usable_gib=_usable(ledger, question, ranks),
        ranks=ranks,
        kv_tokens=tokens,
        requests_at_context=requests,
        max_sequences=sequences,
        concurrency=concurrency,
        notes=(*ledger.notes, note(found, question)),
    )


def note(found: Correction, question: Question) -> str:
    """Say which start a ledger was corrected by, and in what."""
    shifts = found.shifts_for(question.model.id)
    said = [f"{term} {shift:+.2f} GiB" for term, shift in shifts.items() if shift]
    if found.weights is not None and found.model == question.model.id:
        said.insert(0, f"weights × {found.weights:.3f}")
    of = "" if found.model == question.model.id else f" with {found.model}"
    start = f"{BEGINNING} on {found.date} ({found.engine} {found.release}, {found.gpu}{of})"
    return f"{start}: {', '.join(said) or 'as predicted'}"


def _rank(rank: Rank, found: Correction, question: Question, charged: Mapping[str, float]) -> Rank:
    deltas = found.shifts_for(question.model.id)
    if not rank.cuda_graphs_gib:  # none are captured here, whatever they took where it was measured
        deltas["cuda_graphs"] = 0.0
    if found.weights is not None and found.model == question.model.id:
        deltas["weights"] = rank.weights_gib * (found.weights - 1)
    sizes = {term: max(0.0, getattr(rank, f"{term}_gib") + delta) for term, delta in deltas.items()}
    deltas = {term: size - getattr(rank, f"{term}_gib") for term, size in sizes.items()}
    left = -sum(charged.get(term, 0.0) * delta for term, delta in deltas.items())
    said = f"calibrated from a start on {found.date}"
    lines = [Line(term, delta, said) for term, delta in deltas.items() if delta]
    if left:
        lines.append(Line("kv", left, "what the calibrated terms leave of it"))
    fields = {f"{term}_gib": size for term, size in sizes.items()}
    return replace(rank, **fields, kv_gib=rank.kv_gib + left, lines=(*rank.lines, *lines))


def _charged(question: Question, ledger: Ledger) -> Mapping[str, float]:
    """Return how much of a GiB of each term the KV pool loses."""
    if question.kv_bytes is not None or ledger.pinned:
        return {}
    charged = dict.fromkeys(question.calibration.loses, 1.0)
    if question.calibration.of_free:
        charged["nontorch"] = ledger.fraction or 1.0
    return charged


def _usable(ledger: Ledger, question: Question, ranks: Sequence[Rank]) -> float | None:
    """What is free when an engine starts to load is less by what is not PyTorch's."""
    if not question.calibration.of_free or ledger.usable_gib is None:
        return ledger.usable_gib
    return ledger.usable_gib - (ranks[0].nontorch_gib - ledger.ranks[0].nontorch_gib)


def _of_the_pool(ledger: Ledger) -> bool:
    """Tell whether the margin is that of the KV pool: what is refused for a reason lacks something else."""
    return ledger.reason is None or ledger.verdict is Verdict.TIGHT


def _kv(ranks: Iterable[Rank]) -> float:
    return min(rank.kv_gib for rank in ranks)


def _verdict(ledger: Ledger, margin: float | None, card: Card) -> Verdict:
    """Judge the new margin, unless it was something else that the equation held against the model."""
    if margin is None or ledger.margin_gib in (None, margin) or not _of_the_pool(ledger):
        return ledger.verdict
    before = judge(ledger.margin_gib or 0.0, card.memory_gib, card.vendor)
    after = judge(margin, card.memory_gib, card.vendor)
    if before is not ledger.verdict and after is Verdict.FITS:
        return ledger.verdict
    return after

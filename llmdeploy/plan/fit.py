"""Does a model fit its GPUs? What its ledger means, at the line of llm.yaml that asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note, Path
from llmdeploy.memory import Ledger, Rank, Verdict
from llmdeploy.memory.sizes import figure, size
from llmdeploy.memory.verdict import error_gib
from llmdeploy.plan.hardware import Hardware, graphs
from llmdeploy.plan.placement import host_memory, pool_of
from llmdeploy.plan.sizing import impossible, stated_as
from llmdeploy.spec.model import Model
from llmdeploy.spec.types import AUTO

Ways = Callable[[Context, str], list[str]]
"""Finds what would do instead, as texts; worth it only where somebody reads them."""

_GIB = 1 << 30
_OF_A_STEP = ("prefill", "reserve")
"""Rules of ledgers whose reason is how long a step is."""
STATES = "states: "
"""What a reason begins with that is about the sequences of a model with states."""


def findings(
    context: Context, name: str, ledger: Ledger | None, ways: Ways | None = None
) -> Iterator[Diagnostic]:
    """Yield what a ledger has to say.

    What is not known is told by `llmdeploy plan`, with the reason; of GPUs that a model does not divide over, the
    checks speak.
    """
    if ledger is None or ledger.verdict is Verdict.UNKNOWN:
        yield from _unsolved(context, name, ledger)
        return
    if not ledger.ranks:
        return
    if ledger.verdict is Verdict.NO:
        yield _does_not_fit(context, name, ledger, ways)
    else:
        if ledger.verdict is Verdict.TIGHT:
            yield _tight(context, name, ledger, ways)
        yield from _more_than_fit(context, name, ledger)


def _unsolved(context: Context, name: str, ledger: Ledger | None) -> Iterator[Diagnostic]:
    """Nothing can be solved for where it is not known what a model takes."""
    model = context.spec.models[name]
    pool = context.pools[pool_of(context.spec, name) or ""]
    if impossible(context, name, pool) is not None:
        return  # nothing more follows from it
    why = ledger.reason if ledger else "the memory of its pool is not known"
    for field, value in (("context", model.context), ("concurrency", model.concurrency)):
        if value == AUTO:
            message = f"`{field}: auto` cannot be solved for: {why}"
            yield Diagnostic(
                "LD359", message, ("models", name, field), f"write a number, or leave `{field}` out"
            )


def _does_not_fit(context: Context, name: str, ledger: Ledger, ways: Ways | None) -> Diagnostic:
    model, pool = context.spec.models[name], context.pools[pool_of(context.spec, name) or ""]
    rank = min(ledger.ranks, key=lambda rank: rank.kv_gib)
    usable, path = ledger.usable_gib or 0.0, _line(name, model, ledger)
    each = "" if len(ledger.ranks) <= 1 else " of each GPU"
    if ledger.reason is not None:
        why = ledger.reason.partition(": ")[2]
    elif rank.weights_gib > usable:
        offers = f"{_place(model, pool)} offers {size(usable)}" if usable > 0 else "nothing is left to it"
        why = f"its weights alone take {size(rank.weights_gib)}{each}, {offers}"
    else:
        why = f"one request of {ledger.context} tokens needs {size(_needs(ledger, rank))} of KV cache{each}, {_left(rank)}"
        if path[-1] == "gpus" and model.context not in (None, AUTO):
            path = ("models", name, "context")
    solved = "" if _loads(ledger) else _solved_for(model, ledger)
    message = f"`{name}` does not fit, by {size(lacks(ledger))}: {why}{solved}"
    help = _remedy(context, name, ways) or _larger(pool)
    notes = [*_arithmetic(model, pool, ledger, rank), *_measured(context, ledger)]
    if _loads(ledger):
        notes.append(
            Note(f"a checkpoint that is in `{model.quantization}` already needs no more than it keeps")
        )
    return Diagnostic("LD304", message, path, help, tuple(notes))


def _loads(ledger: Ledger) -> bool:
    """Tell whether it is only too large while it is loaded."""
    return (ledger.reason or "").startswith("loading: ")


def _line(name: str, model: Model, ledger: Ledger) -> Path:
    """Return the line that asks for what is not there: a quantization that is done on the card, a pool of its own size, a step or a share."""
    if _loads(ledger):
        return ("models", name, "quantization")
    if (ledger.reason or "").startswith(STATES):
        return ("models", name, "concurrency")
    if (asked := stated_as(model, ledger.limit)) is not None:
        return ("models", name, "engine_args", asked)
    rule = (ledger.reason or "").partition(": ")[0]
    if rule in _OF_A_STEP and model.batch_tokens is not None:
        return ("models", name, "batch_tokens")
    nothing = min(each.kv_gib for each in ledger.ranks) <= 0
    if model.memory_fraction is not None and (nothing or ledger.reason is not None):
        return ("models", name, "memory_fraction")
    return ("models", name, "gpus")


def _measured(context: Context, ledger: Ledger) -> Iterator[Note]:
    """Say what of it rests on a start that was measured, and how to go without."""
    if not context.facts.corrections:
        return
    from llmdeploy.facts.gather import CALIBRATION
    from llmdeploy.memory.corrections import BEGINNING

    for note in ledger.notes:
        if note.startswith(BEGINNING):
            yield Note(f"{note}; to go without, remove that entry of `{CALIBRATION}`")


def lacks(ledger: Ledger) -> float:
    """Return the GiB that lack for one request: the figure of the plan, of its JSON, and of every message."""
    return -min(ledger.margin_gib or 0.0, 0.0)


def _needs(ledger: Ledger, rank: Rank) -> float:
    """Return what one request takes. Where something is left, it is that and what lacks: vLLM never gives out one block."""
    return rank.kv_gib + lacks(ledger) if rank.kv_gib > 0 else (ledger.kv_bytes_per_request or 0) / _GIB


def _left(rank: Rank) -> str:
    return f"{size(rank.kv_gib)} are left for it" if rank.kv_gib > 0 else "nothing is left for it"


def _place(model: Model, pool: Hardware) -> str:
    if pool.is_cpu:
        return "its part of the node"
    card = pool.gpu or pool.title
    if pool.sliced:
        return f"one slice of {card}"
    return f"one {card}" if model.gpus.share is None else f"{model.gpus.share:g} of one {card}"


def _larger(pool: Hardware) -> str:
    what = "node" if pool.is_cpu else "slice" if pool.sliced else "GPU"
    return f"take a larger {what}, or a smaller model"


def _remedy(context: Context, name: str, ways: Ways | None) -> str:
    return ", or ".join(ways(context, name) if ways else [])


def _solved_for(model: Model, ledger: Ledger) -> str:
    """Say how far down `auto` went."""
    tried = []
    if model.context == AUTO:
        tried.append(f"{ledger.context} tokens")
    if model.concurrency == AUTO and ledger.concurrency is not None:
        tried.append(f"{ledger.concurrency} request{'s' * (ledger.concurrency != 1)} at once")
    return f"; `auto` went down to {' and '.join(tried)}" if tried else ""


def _arithmetic(model: Model, pool: Hardware, ledger: Ledger, rank: Rank) -> Iterator[Note]:
    """The lines of the tightest rank, and the engine's own rule for what they leave."""
    where = f"stage {rank.stage}, " if any(each.stage for each in ledger.ranks) else ""
    terms = {
        "weights": rank.weights_gib,
        "activations": rank.activation_gib,
        "outside of torch": rank.nontorch_gib,
        graphs(pool.vendor): rank.cuda_graphs_gib,
        "KV cache of one request": 0.0 if ledger.reason else _needs(ledger, rank),
    }
    sums = ", ".join(f"{figure(gib)} {term}" for term, gib in terms.items() if figure(gib) != "0.00")
    unit = "the node" if pool.is_cpu else "one slice" if pool.sliced else "one GPU"
    yield Note(f"{where}GiB of {unit}: {sums}")
    left = f"{size(rank.kv_gib)} are left" if rank.kv_gib > 0 else "nothing is left"
    rule = next((line.rule for line in rank.lines if line.term == "kv"), "the KV cache")
    if model.gpus.share is not None and pool.memory_gib is not None:
        rule = f"{model.gpus.share:g} of {pool.memory_gib:g} GiB, less the error of the estimate and what stands above"
    yield Note(f"{left} for the KV cache: {rule}")


def _tight(context: Context, name: str, ledger: Ledger, ways: Ways | None) -> Diagnostic:
    pool = context.pools[pool_of(context.spec, name) or ""]
    spare, length = ledger.margin_gib or 0.0, f"one request of {ledger.context} tokens"
    error = error_gib(host_memory(context.spec, pool) or pool.memory_gib or 0.0, pool.vendor)
    if ledger.reason is not None:
        message = f"`{name}` may not have room to run: {ledger.reason.partition(': ')[2]}"
    elif spare >= 0:
        message = f"`{name}` fits with {size(spare)} to spare beyond {length}; this estimate may be wrong by {size(error)}"
    else:
        message = f"`{name}` may lack {size(-spare)} for {length}, by terms that are estimated"
    help = _remedy(context, name, ways)
    help = f"leave more room: {help}" if help else _larger(pool)
    path = _line(name, context.spec.models[name], ledger)
    return Diagnostic("LD519", message, path, help, tuple(_measured(context, ledger)))


def _more_than_fit(context: Context, name: str, ledger: Ledger) -> Iterator[Diagnostic]:
    """Paged KV exists for it: requests are rarely of full length. But it is said."""
    model = context.spec.models[name]
    at_once, fit = model.concurrency, ledger.requests_at_context
    if model.context == AUTO or at_once in (None, AUTO) or fit is None or at_once is None:
        return
    # One that is tight may hold a little less than one, as has been said.
    if at_once > (full := max(int(fit), 1)):
        path: Path = ("models", name, "concurrency")
        whose = "" if model.context else " (the model's own maximum)"
        message = (
            f"{at_once} requests of {ledger.context} tokens{whose} are more than the KV cache holds: "
            f"{int(fit)} fit at full length ({ledger.kv_tokens} tokens in all)"
        )
        shorter = "a shorter `context`" if model.context else "a `context` as long as requests are"
        help = f"set `concurrency: {full}` (or `auto`), {shorter}, or waive it where most requests are short"
        yield Diagnostic("LD517", message, path, help)

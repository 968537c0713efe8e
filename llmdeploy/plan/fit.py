"""Does a model fit its GPUs? What its ledger means, at the line of llm.yaml that asked for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note, Path
from llmdeploy.memory import Ledger, Rank, Verdict
from llmdeploy.plan.placement import pool_of
from llmdeploy.spec.model import Model
from llmdeploy.spec.types import AUTO

Ways = Callable[[Context, str], list[str]]
"""Finds what would do instead, as texts; worth it only where somebody reads them."""

_GIB = 1 << 30


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
    why = ledger.reason if ledger else "the memory of its pool is not known"
    for field, value in (("context", model.context), ("concurrency", model.concurrency)):
        if value == AUTO:
            message = f"`{field}: auto` cannot be solved for: {why}"
            yield Diagnostic(
                "LD359", message, ("models", name, field), f"write a number, or leave `{field}` out"
            )


def _does_not_fit(context: Context, name: str, ledger: Ledger, ways: Ways | None) -> Diagnostic:
    pool = context.pools[pool_of(context.spec, name) or ""]
    rank = min(ledger.ranks, key=lambda rank: rank.kv_gib)
    usable, path = ledger.usable_gib or 0.0, ("models", name, "gpus")
    place = "the pool" if pool.is_cpu else f"one {pool.gpu or pool.title}"
    offers = (
        f"{place} offers {_gib(usable, rank.weights_gib)}"
        if usable >= 0
        else f"{rank.weights_gib - usable:.1f} GiB more than it may have of {place}"
    )
    each = "" if len(ledger.ranks) <= 1 else " of each GPU"
    if ledger.reason is not None:
        message = f"`{name}` does not fit: {ledger.reason.partition(': ')[2]}"
        if context.spec.models[name].memory_fraction is not None:
            path = ("models", name, "memory_fraction")
    elif rank.weights_gib > usable:
        message = (
            f"`{name}` does not fit: its weights alone take {_gib(rank.weights_gib, usable)}{each}, {offers}"
        )
    else:
        need, left = (ledger.kv_bytes_per_request or 0) / _GIB, max(rank.kv_gib, 0.0)
        message = f"`{name}` does not fit: one request of {ledger.context} tokens needs {_gib(need, left)}"
        message += f" of KV cache{each}, {f'{_gib(left, need)} are' if left else 'nothing is'} left for it"
        if context.spec.models[name].context not in (None, AUTO):
            path = ("models", name, "context")
    help = _remedy(context, name, ways) or "take a larger GPU, or a smaller model"
    message += _solved_for(context.spec.models[name], ledger, rank)
    return Diagnostic("LD304", message, path, help, tuple(_arithmetic(ledger, rank)))


def _gib(size: float, beside: float = 0.0) -> str:
    """Return a size, finer where it would read as nothing, or as the other that it is held against."""
    alike = size != beside and f"{size:.1f}" == f"{beside:.1f}"
    return f"{size * 1024:,.0f} MiB" if alike else f"{size:.1f} GiB"


def _remedy(context: Context, name: str, ways: Ways | None) -> str:
    return ", or ".join(ways(context, name) if ways else [])


def _solved_for(model: Model, ledger: Ledger, rank: Rank) -> str:
    """Say how far down `auto` went, and what was still missing there."""
    tried = []
    if model.context == AUTO:
        tried.append(f"{ledger.context} tokens")
    if model.concurrency == AUTO and ledger.concurrency is not None:
        tried.append(f"{ledger.concurrency} request{'s' * (ledger.concurrency != 1)} at once")
    lacks = -min(rank.kv_gib, 0.0 if ledger.margin_gib is None else ledger.margin_gib)
    if not tried:
        return ""
    return f"; `auto` went down to {' and '.join(tried)}" + (
        f", and {_gib(lacks)} are missing" if lacks > 0 else ""
    )


def _arithmetic(ledger: Ledger, rank: Rank) -> Iterator[Note]:
    """The lines of the tightest rank, and the engine's own rule for what they leave."""
    where = f"stage {rank.stage}, " if any(each.stage for each in ledger.ranks) else ""
    terms = {
        "weights": rank.weights_gib,
        "activations": rank.activation_gib,
        "outside of torch": rank.nontorch_gib,
        "CUDA graphs": rank.cuda_graphs_gib,
    }
    sums = ", ".join(f"{gib:.1f} {term}" for term, gib in terms.items() if gib >= _SHOWN_GIB)
    yield Note(f"{where}GiB of one GPU: {sums}")
    left = f"{_gib(rank.kv_gib)} are left" if rank.kv_gib >= 0 else f"{_gib(-rank.kv_gib)} are missing"
    rule = next((line.rule for line in rank.lines if line.term == "kv"), "the KV cache")
    yield Note(f"{left}: {rule}")


_SHOWN_GIB = 0.05


def _tight(context: Context, name: str, ledger: Ledger, ways: Ways | None) -> Diagnostic:
    spare = ledger.margin_gib or 0.0
    message = (
        f"`{name}` fits with {_gib(spare)} to spare beyond one request of {ledger.context} tokens, "
        "which is less than this estimate may be wrong by"
        if spare >= 0
        else f"`{name}` may lack {_gib(-spare)} for one request of {ledger.context} tokens, by terms that are estimated"
    )
    help = _remedy(context, name, ways)
    help = f"leave more room: {help}" if help else "take a larger GPU, or a smaller model"
    return Diagnostic("LD519", message, ("models", name, "gpus"), help)


def _more_than_fit(context: Context, name: str, ledger: Ledger) -> Iterator[Diagnostic]:
    """Paged KV exists for it: requests are rarely of full length. But it is said."""
    model = context.spec.models[name]
    at_once, fit = model.concurrency, ledger.requests_at_context
    if model.context == AUTO or at_once in (None, AUTO) or fit is None or at_once is None:
        return
    if at_once > fit:
        path: Path = ("models", name, "concurrency")
        # One that is tight may hold a little less than one.
        full, whose = max(int(fit), 1), "" if model.context else " (the model's own maximum)"
        message = (
            f"{at_once} requests of {ledger.context} tokens{whose} are more than the KV cache holds: "
            f"{int(fit)} fit at full length ({ledger.kv_tokens} tokens in all)"
        )
        shorter = "a shorter `context`" if model.context else "a `context` as long as requests are"
        help = f"set `concurrency: {full}` (or `auto`), {shorter}, or waive it where most requests are short"
        yield Diagnostic("LD517", message, path, help)

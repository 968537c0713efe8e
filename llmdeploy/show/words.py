"""The words of a ledger, the same in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from llmdeploy.memory.model import Ledger, Verdict
from llmdeploy.memory.sizes import figure, size
from llmdeploy.plan.hardware import graphs
from llmdeploy.plan.model import Service, Startup
from llmdeploy.show.cards import Bar, Pool, Segment, Tenant

_TERMS = {
    "weights": "weights",
    "activation": "activations",
    "other": "",
    "kv": "KV cache",
    "unknown": "not known",
    "free": "free",
    "outside": "outside",
}
_LONG_S = 3600
"""From here on a plan says beside the wait how to have another."""
_EDGE = "end of the memory"


class Figure(Struct, frozen=True):
    value: str
    unit: str


def term(name: str, *vendors: str) -> str:
    """Return what a term, or a line of a ledger, is called on the cards of these vendors: a CPU has no graphs."""
    drawn = {graphs(vendor) for vendor in vendors if vendor != "cpu"}
    recorded = drawn.pop() if len(drawn) == 1 else "graphs" if drawn else None
    if name == "other":
        return ", ".join(filter(None, (recorded, "non-torch")))
    named = {"nontorch": "non-torch", "cuda_graphs": recorded or "graphs"}
    return named.get(name) or _TERMS.get(name, name)


def legend(pools: Sequence[Pool]) -> list[tuple[str, str]]:
    """Return what is on the bars of these pools, and what it is called."""
    used = {segment.term for pool in pools for bar in pool.bars for segment in bar.segments}
    vendors = [pool.vendor for pool in pools]
    found = [(each, term(each, *vendors)) for each in _TERMS if each in used]
    found = [(each, f"{name} the engine's share" if each == "outside" else name) for each, name in found]
    return [*found, *([("edge", _EDGE)] if any(bar.overfull for pool in pools for bar in pool.bars) else [])]


def verdict(ledger: Ledger) -> str:
    """Return what follows the verdict's name: the margin and what it is measured against, or why nothing is known."""
    match ledger.verdict, ledger.margin_gib:
        case Verdict.UNKNOWN, _:
            return ledger.reason or "no rule says how much it takes"
        case Verdict.NO, float(margin) if margin < 0:
            what = f": {_said(ledger.reason)}" if ledger.reason else f" for {_one_request(ledger)}"
            return f"lacks {size(-margin)}{what}"
        case Verdict.TIGHT, float(margin):
            if ledger.reason:
                return _said(ledger.reason)
            if margin < 0:
                return f"{size(-margin)} too little for {_one_request(ledger)}, by terms that are estimated"
            return f"{size(margin)} to spare beside {_one_request(ledger)}, within the error of the estimate"
        case Verdict.FITS, float(margin):
            return f"{size(margin)} to spare beside {_one_request(ledger)}"
    return _why(ledger)


def _why(ledger: Ledger) -> str:
    return ledger.reason or "the margin is not known"


def _said(reason: str) -> str:
    """Return a reason without the id of its rule."""
    return reason.partition(": ")[2] or reason


def _one_request(ledger: Ledger) -> str:
    return f"one request of {ledger.context:,} tokens" if ledger.context else "one request of full length"


def figures(ledger: Ledger) -> list[Figure]:
    """Return what the KV cache is good for, as far as it is known: three numbers that do not follow from each other."""
    if ledger.verdict is Verdict.NO and not ledger.kv_tokens:
        return []
    context = (
        f"requests of {ledger.context:,} tokens at once" if ledger.context else "requests of full length"
    )
    found = [
        Figure(f"{ledger.kv_tokens:,}", "tokens in the KV cache") if ledger.kv_tokens is not None else None,
        Figure(f"{ledger.requests_at_context:,.2f}", context)
        if ledger.requests_at_context is not None
        else None,
        Figure(f"{ledger.max_sequences:,}", "sequences at most")
        if ledger.max_sequences is not None
        else None,
    ]
    return [figure for figure in found if figure]


def who(bar: Bar) -> str:
    """Return the models on a card: "batch", "big, stage 1 of 2", or "idle"."""
    return " + ".join(map(_who, bar.tenants)) or "idle"


def _who(tenant: Tenant) -> str:
    if tenant.rank is None or tenant.stages == 1:
        return tenant.model
    return f"{tenant.model}, stage {tenant.rank.stage + 1} of {tenant.stages}"


def place(bar: Bar) -> str:
    return f"{bar.place}, each" if bar.count > 1 else bar.place


def held(bar: Bar) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return (whose, [(term, GiB)]) of a bar that is in use. `whose` is "" for a card's only model, and for the rest."""
    if not bar.tenants:
        return []
    models = [tenant.model for tenant in bar.tenants]
    if len(models) == 1:
        return [("", _sized(bar.segments))]
    owners = [*dict.fromkeys(models), None]
    found = [(owner or "", _sized(s for s in bar.segments if s.model == owner)) for owner in owners]
    return [(owner, sizes) for owner, sizes in found if sizes]


def _sized(segments: Iterable[Segment]) -> list[tuple[str, str]]:
    """Add up what replicas of one model hold of the same node."""
    sums: dict[str, float] = {}
    for segment in segments:
        sums[segment.term] = sums.get(segment.term, 0.0) + segment.gib
    return [(term, figure(gib)) for term, gib in sums.items()]


def ready(service: Service) -> str:
    """Return how long a start may take, and what it is expected to take it for."""
    found = service.startup
    text = f"at most {time(service.ready_timeout_s)}"
    if service.ready_timeout_s != found.ready_limit_s:
        text += f", as `ready_timeout` says; without it {time(found.ready_limit_s)}"
    if found.expected_s is None:
        return text
    return f"{text}: {' + '.join(_parts(found))}, {_spare(found)}" + _fetched(service) + _faster(service)


def _parts(found: Startup) -> list[str]:
    parts = (
        (f"{(found.disk_bytes or 0) / (1 << 30):.1f} GiB read", found.read_s),
        ("start", found.start_s),
        ("compile", found.compile_s),
        ("graphs", found.capture_s),
    )
    return [f"{name} {time(seconds)}" for name, seconds in parts if seconds]


def _spare(found: Startup) -> str:
    return "times 2" if found.spare_s == found.expected_s else f"and {time(found.spare_s or 0)} to spare"


def _faster(service: Service) -> str:
    """Say how to wait less, where the wait for what hangs is long."""
    long = service.ready_timeout_s == service.startup.ready_limit_s > _LONG_S
    return "; `ready_timeout` shortens it where storage is faster" if long else ""


def _fetched(service: Service) -> str:
    found = service.startup
    if service.download is None or not found.fetch_s:
        return ""
    return f"; before it, once, {time(found.fetch_s)} to fetch the weights"


def time(seconds: int) -> str:
    """Return seconds as people say them: `90 s`, `14 min`."""
    return f"{seconds} s" if seconds < 120 else f"{-(-seconds // 60)} min"

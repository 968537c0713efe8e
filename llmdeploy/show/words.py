"""The words of a ledger, the same in the terminal and on the page."""

from __future__ import annotations

from msgspec import Struct

from llmdeploy.memory.model import Ledger, Verdict
from llmdeploy.plan.model import Service, Startup
from llmdeploy.show.cards import Bar, Segment, Tenant

TERMS = {
    "weights": "weights",
    "activation": "activations",
    "other": "CUDA graphs, non-torch",
    "kv": "KV cache",
    "unknown": "not known",
    "free": "free",
    "outside": "outside the engine's share",
}
SHORT = {**TERMS, "outside": "outside"}
LINES = {**TERMS, "nontorch": "non-torch", "cuda_graphs": "CUDA graphs"}
"""What the lines of a ledger are called."""


class Figure(Struct, frozen=True):
    value: str
    unit: str


def gib(size: float) -> str:
    return f"{size:.2f}"


def _size(size: float) -> str:
    """Return a size that is not nothing with its unit, small enough that it does not read as nothing."""
    return f"{gib(size)} GiB" if size >= _SHOWN or not size else f"{max(size * 1024, 0.1):.1f} MiB"


_SHOWN = 0.005
"""GiB: what is below it reads 0.00."""


def verdict(ledger: Ledger) -> str:
    """Return what follows the verdict's name: the margin and what it is measured against, or why nothing is known."""
    match ledger.verdict, ledger.margin_gib:
        case Verdict.UNKNOWN, _:
            return ledger.reason or "no rule says how much it takes"
        case Verdict.NO, float(margin):
            return f"lacks {_size(-margin)} for {_one_request(ledger)}" if margin < 0 else _why(ledger)
        case Verdict.TIGHT, float(margin):
            sign = "to spare" if margin >= 0 else "too little"
            return (
                f"{_size(abs(margin))} {sign} beside {_one_request(ledger)}, within the error of the estimate"
            )
        case Verdict.FITS, float(margin):
            return f"{_size(margin)} to spare beside {_one_request(ledger)}"
    return _why(ledger)


def _why(ledger: Ledger) -> str:
    return ledger.reason or "the margin is not known"


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
    """Return (whose, [(what, GiB)]) of a bar that is in use. `whose` is "" for a card's only model, and for the rest."""
    if not bar.tenants:
        return []
    models = [tenant.model for tenant in bar.tenants]
    if len(models) == 1:
        return [("", [_sized(segment) for segment in bar.segments])]
    owners = [*dict.fromkeys(models), None]
    found = [(owner or "", [_sized(s) for s in bar.segments if s.model == owner]) for owner in owners]
    return [(owner, sizes) for owner, sizes in found if sizes]


def _sized(segment: Segment) -> tuple[str, str]:
    return SHORT[segment.term], gib(segment.gib)


def ready(service: Service) -> str:
    """Return how long a start may take, and what it is expected to take it for."""
    found = service.startup
    text = f"at most {time(service.ready_timeout_s)}"
    if service.ready_timeout_s != found.ready_limit_s:
        text += f", as `ready_timeout` says; without it {time(found.ready_limit_s)}"
    if found.expected_s is None:
        return text
    return f"{text}: {' + '.join(_parts(found))}, times {found.margin:g}" + _fetched(service)


def _parts(found: Startup) -> list[str]:
    parts = (
        (f"{(found.disk_bytes or 0) / (1 << 30):.1f} GiB read", found.read_s),
        ("start", found.start_s),
        ("compile", found.compile_s),
        ("graphs", found.capture_s),
    )
    return [f"{name} {time(seconds)}" for name, seconds in parts if seconds]


def _fetched(service: Service) -> str:
    found = service.startup
    if service.download is None or not found.fetch_s:
        return ""
    return f"; before it, once, {time(found.fetch_s)} to fetch the weights"


def time(seconds: int) -> str:
    """Return seconds as people say them: `90 s`, `14 min`."""
    return f"{seconds} s" if seconds < 120 else f"{-(-seconds // 60)} min"

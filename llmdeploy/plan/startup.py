"""How long a start may take: bytes to fetch and to read, and what the engine does beside.

Every probe, wait and deadline of every target is made from the two limits that are decided here. They end only
what hangs, so each part is that of a slow machine, and there is as much time again to spare: up to a bound, for what
hangs is left alone until then, and a machine that is even slower is so by its rates, which `ready_timeout` answers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress

from msgspec import Struct
from msgspec.structs import replace

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic, Note
from llmdeploy.engines.base import Phase, argument
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.model import Startup, Why

FETCH_MB_S = 40
"""Of the Hub, over a line that others use, too: 140 GB in an hour. Judged."""
READ_GIB_S = 0.2
"""Of network storage that one node mounts, all ranks together; local disks read ten times as fast. Judged."""
SPARE_S = 1200
"""More than all that no rate is of: starting, compiling and graphs are 5 to 9 minutes, with adapters. Judged."""
FETCH_SPARE_S = 3600
"""A line that is shared is slow for an hour, and not in proportion to what is fetched. Judged."""
READY_FLOOR_S = 600
"""What KServe and production-stack give every model."""
FETCH_FLOOR_S = 1800
"""4.6 GB over 20 Mbit/s took half an hour (kubeai#173)."""

_GIB = 1 << 30


class Machine(Struct, frozen=True):
    """What the time of one replica depends on beside its bytes. `given` are arguments of the user's, without dashes."""

    vendor: str
    gpus: int
    given: frozenset[str] = frozenset()
    adapters: bool = False


def startup(context: Context, name: str, pool: Hardware) -> Startup:
    """Estimate the start of a model, whatever `ready_timeout` says."""
    from llmdeploy.memory.errors import UnmodelledError

    model = context.spec.models[name]
    # An engine of another package may say nothing of its start.
    phases: tuple[Phase, ...] = getattr(context.engines[context.engine_of(name)], "phases", tuple)()
    given = {argument(key) for key, value in model.engine_args.items() if value is not False}
    machine = Machine(
        pool.vendor, 0 if pool.is_cpu else model.gpus.count, frozenset(given), bool(model.adapters)
    )
    try:
        whole, fetched = _bytes(context, name)
    except UnmodelledError as stop:
        return replace(estimate(None, 0, phases, machine), unknown=str(stop))
    return estimate(whole, fetched, phases, machine)


def _bytes(context: Context, name: str) -> tuple[int, int]:
    """Return the bytes of the model and its drafter, and how many of them come from the Hub.

    One drafter more or less is within the margin, and so are adapters: what is not known of them does not count.
    """
    from llmdeploy.memory.disk import bytes_on_disk
    from llmdeploy.memory.errors import UnmodelledError

    model = context.spec.models[name]
    own, drafting = bytes_on_disk(context.checkpoint(name)), 0
    if (drafter := context.drafter(name)) is not None:
        with suppress(UnmodelledError):
            drafting = bytes_on_disk(drafter)
    beside = model.speculative.model if model.speculative else None
    fetched = (0 if model.source.path else own) + (drafting if beside is not None and beside.hub else 0)
    return own + drafting, fetched


def estimate(whole: int | None, fetched: int, phases: Iterable[Phase], machine: Machine) -> Startup:
    """Add the parts up. `whole` are the bytes of all weights, None where they are not known; `fetched` come from the Hub."""
    rows = [row for row in phases if _holds(row, machine)]
    found = Startup(disk_bytes=whole)
    if rows:
        start, compiling, capture = (
            _seconds(part, rows, machine) for part in ("start", "compile", "capture")
        )
        found = replace(found, start_s=start, compile_s=compiling, capture_s=capture)
    if whole is None:
        return replace(found, unknown="the weights are not known")
    read, fetch = math.ceil(whole / _GIB / READ_GIB_S), math.ceil(fetched / 1e6 / FETCH_MB_S)
    found = replace(
        found, read_s=read, fetch_s=fetch, fetch_limit_s=_limit(fetch, FETCH_SPARE_S, FETCH_FLOOR_S)
    )
    if found.expected_s is None:
        return replace(found, unknown="what its engine does at a start is not known")
    limit = _limit(found.expected_s, SPARE_S, READY_FLOOR_S)
    return replace(found, spare_s=min(found.expected_s, SPARE_S), ready_limit_s=limit)


def _holds(row: Phase, machine: Machine) -> bool:
    here = machine.vendor in row.vendors and not machine.given.intersection(row.unless)
    return here and (machine.adapters or not row.adapters)


def _seconds(part: str, rows: Iterable[Phase], machine: Machine) -> int:
    further = max(machine.gpus - 1, 0)
    return sum(row.seconds + row.each_gpu * further for row in rows if row.part == part)


def _limit(seconds: int, spare: int, floor: int) -> int:
    """Return a whole number of minutes."""
    return max(floor, math.ceil((seconds + min(seconds, spare)) / 60) * 60)


def why(found: Startup, *, stated: bool, fetches: bool) -> Iterator[Why]:
    """Say where the limits come from; one that llm.yaml states needs no reason."""
    if not stated:
        yield Why(
            "ready_timeout", f"{found.ready_limit_s}s", f"{_because(found)}; set `ready_timeout` to change it"
        )
    if fetches:
        spare = f"as much again, {FETCH_SPARE_S} s at most, and {FETCH_FLOOR_S} s in all at least"
        because = found.unknown or f"{_decimal(found)} at {FETCH_MB_S} MB/s and {spare}"
        yield Why("fetch limit", f"{found.fetch_limit_s}s", because)


def _because(found: Startup) -> str:
    if found.expected_s is None:
        return f"room for most models: how long this one takes is not known ({found.unknown})"
    least = ", and 600 s at least" if found.ready_limit_s == READY_FLOOR_S else ""
    twice = found.spare_s == found.expected_s
    total = (
        f"twice {found.expected_s} s" if twice else f"{found.expected_s} s, and {found.spare_s} s to spare"
    )
    return f"{total}: {', '.join(_parts(found))}{least}"


def _parts(found: Startup) -> Iterator[str]:
    gib = (found.disk_bytes or 0) / _GIB
    yield f"reading {gib:.1f} GiB at {READ_GIB_S} GiB/s {found.read_s} s"
    for name, seconds in (
        ("the engine itself", found.start_s),
        ("compiling", found.compile_s),
        ("graphs", found.capture_s),
    ):
        if seconds:
            yield f"{name} {seconds} s"


def _decimal(found: Startup) -> str:
    return f"{(found.disk_bytes or 0) / 1e9:.1f} GB"


def findings(context: Context, name: str, found: Startup) -> Iterator[Diagnostic]:
    """Warn of a stated time that is shorter than what is expected: it is then the limit that ends a good start."""
    stated = context.spec.models[name].ready_timeout
    if stated is None or found.expected_s is None or stated >= found.expected_s:
        return
    message = f"`{name}` may not be ready within {stated} s: about {found.expected_s} s are expected"
    help = f"write `ready_timeout: {found.ready_limit_s // 60}m`, or leave it out; waive it where storage is fast and caches are warm"
    note = Note(", ".join(_parts(found)))
    yield Diagnostic("LD536", message, ("models", name, "ready_timeout"), help, (note,))

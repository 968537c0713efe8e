"""Models with `engine: auto`: no edit takes them to another release, for they follow the catalog."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from llmdeploy.compiler import Result
from llmdeploy.diagnostics import Place

Release = tuple[str, str]
"""(engine, version)"""


class Open(Struct, frozen=True):
    """What is chosen for a model before and after a rewrite; None where errors leave it open."""

    model: str
    line: int
    before: Release | None
    after: Release | None


def left_open(before: Result, after: Result, engine: str) -> list[Open]:
    """Return the models for which `engine` is chosen, or might be."""
    assert before.spec is not None
    was, now = _chosen(before), _chosen(after)
    found = [
        Open(
            name,
            before.source.locate(("models", name, "engine"), Place.KEY).line,
            was.get(name),
            now.get(name),
        )
        for name, model in before.spec.models.items()
        if model.engine == "auto"
    ]
    return [
        each for each in found if any(end is None or end[0] == engine for end in (each.before, each.after))
    ]


def lines(models: Sequence[Open]) -> Iterator[str]:
    """Yield them for people."""
    for each in models:
        yield f"{each.model}: left as it is, with `engine: auto`"
        ends = [" ".join(end) if end else "open, for errors" for end in (each.before, each.after)]
        chosen = f"{ends[0]}, before and after" if ends[0] == ends[1] else " → ".join(ends)
        yield f"    line {each.line}: chosen is {chosen}"
        yield "        it follows the newest release that llmdeploy knows, until `engine` and `engine_version` are stated"
        yield ""


def document(models: Sequence[Open]) -> list[dict[str, Any]]:
    """Return them for programs."""
    return [
        {"model": each.model, "line": each.line, "from": _release(each.before), "to": _release(each.after)}
        for each in models
    ]


def _release(end: Release | None) -> dict[str, str] | None:
    return {"engine": end[0], "engine_version": end[1]} if end else None


def _chosen(result: Result) -> dict[str, Release]:
    services = result.plan.services if result.plan else ()
    return {service.name: (service.engine, service.engine_version) for service in services}

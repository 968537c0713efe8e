"""What a rewrite does to one model, as data and as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from llmdeploy.diagnostics import Path, Place
from llmdeploy.emit.yaml import inline
from llmdeploy.rewrite.edits import Edit
from llmdeploy.source import Source


class Kind(StrEnum):
    """What becomes of something that the model states, in the order of the report."""

    GONE = "gone"
    LOST = "no counterpart"
    BY_HAND = "to be written by hand"
    RENAMED = "written otherwise"
    FIELD = "becomes a field"
    CHANGED = "no longer the same"
    DEFAULT = "another default"
    SPARE = "can be left out"
    BEHAVES = "behaves differently"
    MACHINE = "the machine"


@dataclass(frozen=True, slots=True)
class Item:
    """One thing: `subject` as llm.yaml has it, what it `becomes`, and the rest of the sentence."""

    kind: Kind
    subject: str
    becomes: str | None = None
    why: str | None = None
    source: str | None = None
    at: Path | None = None
    """Where the model states it, below the model."""


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The way of one model from an engine's release to another, with the edits that take it there."""

    model: str
    before: tuple[str, str]
    after: tuple[str, str]
    items: tuple[Item, ...] = ()
    edits: tuple[Edit, ...] = field(default=(), repr=False)
    kept: tuple[str, ...] = ()
    """What the other engine takes as it stands."""
    lifted: frozenset[str] = frozenset()
    """Warnings about the old engine that its line may have waived."""


def shown(value: Any) -> str:
    """Return a value as it may stand in llm.yaml, on one line."""
    return inline("x", value).removeprefix("x: ")


def document(rewrite: Rewrite, source: Source) -> dict[str, Any]:
    """Return a rewrite for programs."""
    before, after = rewrite.before, rewrite.after
    return {
        "model": rewrite.model,
        "from": {"engine": before[0], "engine_version": before[1]},
        "to": {"engine": after[0], "engine_version": after[1]},
        "kept": list(rewrite.kept),
        "items": [_item(item, _line(item, rewrite, source)) for item in _sorted(rewrite, source)],
    }


def lines(rewrite: Rewrite, source: Source) -> Iterator[str]:
    """Yield a rewrite for people."""
    yield f"{rewrite.model}: {' '.join(rewrite.before)} → {' '.join(rewrite.after)}"
    if rewrite.kept:
        yield f"  as it is\n    {', '.join(rewrite.kept)}"
    said: Kind | None = None
    for item in _sorted(rewrite, source):
        if item.kind is not said:
            yield f"  {item.kind.value}"
            said = item.kind
        number = _line(item, rewrite, source)
        subject = f"line {number}: {item.subject}" if number else item.subject
        yield f"    {subject}" + (f" → {item.becomes}" if item.becomes else "")
        if item.why:
            yield f"        {item.why}"
    if not rewrite.items:
        yield (
            "  nothing that it states changes" if rewrite.before != rewrite.after else "  it is there already"
        )


def _item(item: Item, line: int | None) -> dict[str, Any]:
    said = asdict(item)
    del said["at"]
    return {**said, "line": line}


def _line(item: Item, rewrite: Rewrite, source: Source) -> int | None:
    return source.locate(("models", rewrite.model, *item.at), Place.KEY).line if item.at else None


def _sorted(rewrite: Rewrite, source: Source) -> list[Item]:
    """Return the items by kind, then as they stand in the file."""
    order = list(Kind)
    return sorted(rewrite.items, key=lambda item: (order.index(item.kind), _line(item, rewrite, source) or 0))

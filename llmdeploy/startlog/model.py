"""What a start-up log says, and the rows of the tables by which it is read.

Sizes are GiB (2^30 bytes; SGLang's "GB" are GiB as well), times are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct, field

Fold = Literal["last", "first", "min", "sum"]
"""What becomes of a term that one rank prints more than once."""


class Pattern(Struct, frozen=True):
    """A sentence of an engine's log. `text` is literal but for `<term:kind>` and `…`, which is any short text.

    A kind is `size` (a number and its unit), `gib` (a number whose unit is not beside it), `int` (with thousands
    separators) or `number`. `since` <= release < `until`, as far as known; nothing is decided by them, because
    the sentences of one engine never contradict each other.
    """

    text: str
    source: str
    since: str = ""
    until: str = ""
    fold: Fold = "last"


class Sign(Struct, frozen=True):
    """A regex that tells something else than a number; its groups are named by what they tell.

    A line that it matches has one of `words` in it.
    """

    regex: str
    source: str
    words: tuple[str, ...]


OUT_OF_MEMORY = Sign(
    r"OutOfMemoryError|(?:CUDA|HIP) out of memory|Tried to allocate [\d.]+ [GM]iB",
    "torch",
    ("OutOfMemoryError", " out of memory", "Tried to allocate "),
)


class Failure(Struct, frozen=True):
    """Why an engine did not start. `kind` is a word for programs, `line` what it said."""

    kind: str
    line: str


class Dialect(Struct, frozen=True):
    """How one engine speaks.

    `starts` are the lines with which a boot begins, `ready` those after which it serves. `settings` tell its
    arguments as text: `asked` those of the command line, `settings` all of them. `failures` are tried in their order.
    """

    engine: str
    patterns: tuple[Pattern, ...]
    starts: tuple[Sign, ...]
    settings: tuple[Sign, ...]
    ready: tuple[str, ...]
    failures: Mapping[str, Sign]


class Boot(Struct, frozen=True):
    """One start of one engine.

    `measures` is term -> rank -> value; the rank is what the engine calls it (`DP0_TP1`), "" where it names none.
    `asked` are its arguments, `settings` those with what became of them and of the others, as text and in the
    engine's own spelling with `_`. `quotes` are the words of the log
    that stated a printed term last. `gpu` is its name as the driver has it, with `_`. `date` is that of its first line, where the log states one with its year.
    """

    engine: str
    version: str | None = None
    model: str | None = None
    asked: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    measures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    quotes: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None
    ready: bool = False
    date: str | None = None
    gpu: str | None = None

    def largest(self, term: str) -> float | None:
        return max(self.measures.get(term, {}).values(), default=None)


class StartLog(Struct, frozen=True):
    """A log, as far as it tells of starts. `boots` are by container (Compose and kubectl name it), in order."""

    boots: Mapping[str, tuple[Boot, ...]]
    sha256: str
    lines: int
    other: str | None = None
    """An engine whose log this seems to be, and which is not read."""

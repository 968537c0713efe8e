"""The course's decision framework: its questions, and the engines that each of them leads to."""

from __future__ import annotations

from functools import cache

from msgspec import Struct

from llmdeploy.catalog.rows import rows


class Question(Struct, frozen=True):
    """One fork. `engines` are those that a yes leads to, the course's own first.

    `need` is the word of `needs` that says yes; None where all questions before were answered with no. `capability`
    is the row of `llmdeploy engines` by which the others stand behind the course's own.
    """

    need: str | None
    asks: str
    engines: tuple[str, ...]
    because: str
    capability: str | None
    source: str


@cache
def questions() -> tuple[Question, ...]:
    """Return them in the order in which they are asked."""
    return tuple(
        Question(
            row["need"],
            row["asks"],
            (row["course"], *row["then"]),
            row["because"],
            row["capability"],
            row["source"],
        )
        for row in rows("framework")
    )

"""The policies behind `engine: auto`: the way through the questions, and what is told of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import takewhile
from typing import Literal

from msgspec import Struct

from llmdeploy.catalog.framework import Question, questions
from llmdeploy.plan.model import Why

Policy = Literal["maintained", "course"]
"""`course` takes the engine that the course's framework leads to. `maintained` asks the same questions and takes the
first engine of that leaf that is maintained and capable of all that the model asks for."""


class PassedOver(Struct, frozen=True):
    """An engine that was not taken. No remedy makes one maintained."""

    engine: str
    reason: str
    remedy: str | None = None


class Choice(Struct, frozen=True):
    """The engine that was taken for a model; None where none will do."""

    engine: str | None
    leaf: Question
    policy: Policy
    passed: tuple[PassedOver, ...] = ()

    def why(self) -> Iterator[Why]:
        """Tell the way question by question, then who was passed over, then who was taken."""
        for question in takewhile(lambda each: each != self.leaf, questions()):
            yield Why(f"needs {question.need}", "no", question.asks)
        if self.leaf.need is not None:
            yield Why(f"needs {self.leaf.need}", "yes", f"{self.leaf.asks} {self.leaf.because}")
        for passed in self.passed:
            yield Why(f"engine {passed.engine}", "passed over", passed.reason)
        if self.engine is not None:
            yield Why("engine", self.engine, self._taken())

    def _taken(self) -> str:
        if self.policy == "course":
            return "the course's answer, as it was drawn (policy `course`)"
        which = "the next one, which is" if self.passed else "the course's answer, which is"
        return f"{which} maintained and can do all that is asked (policy `maintained`)"


def leaf(needs: Collection[str]) -> Question:
    """Ask the questions in their order until one is answered with yes."""
    return next(each for each in questions() if each.need is None or each.need in needs)

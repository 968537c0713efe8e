"""What `apply` and `down` ask of a place that plans are brought to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from msgspec import Struct

Tell = Callable[[str], None]


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    RESTART = "restart"
    """It is stopped and started anew: a model loads its weights again."""
    REMOVE = "remove"


class Change(Struct, frozen=True):
    """One thing that an apply makes, changes or takes away, and why."""

    action: Action
    what: str
    because: str = ""


class Changes(Struct, frozen=True):
    """`diff` is the difference in the words of the tool that knows it, where it has words."""

    items: Sequence[Change]
    diff: str = ""


class Failed(Exception):  # noqa: N818  a reason, read as "failed: …"
    """It did not work out: what happened, what to do about it, and the last lines of who knows more."""

    def __init__(self, message: str, help: str = "", lines: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message, self.help, self.lines = message, help, tuple(lines)


class Deployment(Protocol):
    """A plan and the place that it is for. Every method may raise Failed, or CannotRun for a missing tool."""

    where: str
    """The place, as it is shown before anything is changed there. Known once `reach` has passed."""

    def reach(self) -> None:
        """See that the tools are there and that the place answers."""
        ...

    def check(self) -> None:
        """`reach` it, and see that all that has to be there is: secrets above all. Changes nothing."""
        ...

    def changes(self) -> Changes:
        """Compare what was built with what runs. Nothing to change means that all of it is ready."""
        ...

    def apply(self, tell: Tell, limit_s: float | None) -> None:
        """Run it until every model is ready; `limit_s` is instead of the time that the plan gives each."""
        ...

    def undo(self, tell: Tell) -> None:
        """After an `apply` that was interrupted: take away what it had started."""
        ...

    def down(self, tell: Tell, *, volumes: bool) -> list[str]:
        """Remove what was made, and with `volumes` the downloaded weights too; return what is gone."""
        ...

    def address(self) -> tuple[str, str]:
        """Return the base URL of the routes, and what to do first where it is not reached yet, else ""."""
        ...

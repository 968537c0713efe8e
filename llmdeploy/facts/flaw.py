"""What is wrong with something that stands beside llm.yaml, in the words of a diagnostic."""

from __future__ import annotations

from msgspec import Struct


class Flaw(Struct, frozen=True):
    """A finding without its place: `checks/checkpoints.py` knows where llm.yaml names the source."""

    code: str
    message: str
    help: str


class Damaged(Exception):  # noqa: N818  a reason, read as "damaged: …"
    """A file of weights that no engine can load: `message` says why, `help` what to do.

    The readers of headers raise this and nothing else, whatever a file holds.
    """

    def __init__(self, message: str, help: str = "copy or download the file again") -> None:
        super().__init__(message)
        self.message, self.help = message, help

"""The only place that starts other programs. What needs one takes a `Runner`; a test can hand in its own."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Completed:
    """What a program left behind."""

    status: int
    stdout: str
    stderr: str


class CannotRun(Exception):  # noqa: N818  a reason, read as "cannot run: …"
    """The program did not come to its end; the text says why."""


class NotInstalled(CannotRun):
    """There is no such program on PATH."""


class Runner(Protocol):
    def run(self, argv: Sequence[str], timeout: float) -> Completed:
        """Run `argv` to its end, in at most `timeout` seconds. Raises CannotRun, not for a status."""
        ...


class Subprocess:
    """Runs programs of this machine, without a shell and without a terminal to ask at."""

    def run(self, argv: Sequence[str], timeout: float) -> Completed:
        try:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError:
            raise NotInstalled(f"`{argv[0]}` is not installed") from None
        except subprocess.TimeoutExpired:
            raise CannotRun(f"`{argv[0]}` did not answer in {timeout:g} s") from None
        except OSError as error:
            raise CannotRun(f"`{argv[0]}` cannot be started: {error.strerror}") from error
        return Completed(done.returncode, done.stdout, done.stderr)

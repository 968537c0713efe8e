"""The only place that starts other programs. What needs one takes a `Runner`; a test can hand in its own."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from msgspec import Struct

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_LAST_WORDS_S = 5.0
_LONGEST_LINE = 1 << 22


class Completed(Struct, frozen=True):
    """What a program left behind."""

    status: int
    stdout: str
    stderr: str


class CannotRun(Exception):  # noqa: N818  a reason, read as "cannot run: …"
    """The program did not come to its end; the text says why."""


class NotInstalled(CannotRun):
    """There is no such program on PATH."""


class Running(Protocol):
    """A program that was started and may still run; its output goes to `log`."""

    log: Path

    @property
    def status(self) -> int | None:
        """The exit status, or None while it runs."""
        ...

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and to all that it started."""
        ...

    def reap(self, timeout: float) -> bool:
        """Wait for its end; say whether it came."""
        ...


class Runner(Protocol):
    def run(self, argv: Sequence[str], timeout: float) -> Completed:
        """Run `argv` to its end, in at most `timeout` seconds. Raises CannotRun, not for a status."""
        ...

    def start(self, argv: Sequence[str], log: Path) -> Running:
        """Start `argv` beside us. Raises CannotRun; whoever calls ends it."""
        ...


class Subprocess:
    """Runs programs of this machine, without a shell and without a terminal to ask at."""

    def run(self, argv: Sequence[str], timeout: float) -> Completed:
        try:
            # In a session of its own, so that nothing that it starts outlives it, nor gets a Ctrl-C before us.
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
            )
        except FileNotFoundError:
            raise NotInstalled(f"`{argv[0]}` is not installed") from None
        except OSError as error:
            raise CannotRun(f"`{argv[0]}` cannot be started: {error.strerror}") from error
        with process:
            try:
                out, err = process.communicate(timeout=timeout)
            except BaseException as error:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                if isinstance(error, subprocess.TimeoutExpired):
                    raise CannotRun(f"`{argv[0]}` did not answer in {timeout:g} s") from None
                raise
        return Completed(process.returncode, out, err)

    def start(self, argv: Sequence[str], log: Path) -> Running:
        return Child(argv, os.environ, log)


class Child:
    """A program that runs beside us, in a process group of its own, with all its output in `log`.

    It does not get the Ctrl-C that is meant for us, so whoever starts it ends it.
    """

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            try:
                self._process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=dict(env),
                    start_new_session=True,
                )
            except OSError as error:
                raise CannotRun(f"`{argv[0]}` cannot be started: {error.strerror}") from error

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status, or None while it runs."""
        return self._process.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the whole group, while there is one."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM to the program alone, as a container's end does."""
        self._process.terminate()

    def reap(self, timeout: float) -> bool:
        """Wait for the end of the program itself; say whether it came."""
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True


class Dialogue:
    """A program that answers line by line, in a session of its own; whoever starts it closes it."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str]) -> None:
        self._name = argv[0]
        self._buffer = b""
        # Not a pipe: one that nobody reads fills up, and blocks it.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  open as long as the program
        try:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env=dict(env),
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            raise CannotRun(f"`{argv[0]}` cannot be started: {error.strerror}") from error

    def tell(self, line: str) -> None:
        """Send a line; that the program is gone is noticed when it is heard."""
        assert self._process.stdin
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def hear(self, timeout: float) -> str:
        """Return its next line. Raises CannotRun where none comes in time, and where the program has ended."""
        assert self._process.stdout
        end = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise CannotRun(f"`{self._name}` did not answer in {timeout:g} s")
            more = os.read(self._process.stdout.fileno(), 1 << 16)
            if not more:
                raise CannotRun(f"`{self._name}` {self._ending()}")
            self._buffer += more
            if len(self._buffer) > _LONGEST_LINE:
                raise CannotRun(f"`{self._name}` did not end its line")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("utf-8", "replace")

    def log(self) -> str:
        """Return what it wrote to stderr."""
        self._log.seek(0)
        return self._log.read().decode("utf-8", "replace")

    def close(self) -> None:
        """End it and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(BrokenPipeError), self._process:
            pass
        self._log.close()

    def _ending(self) -> str:
        try:
            status = self._process.wait(_LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            return "closed its output"
        return (
            f"ended with status {status}" if status >= 0 else f"was ended by {signal.Signals(-status).name}"
        )


@contextlib.contextmanager
def held() -> Iterator[None]:
    """Let the signals that end us wait until the end of the block.

    Otherwise one could come when a program is started and nobody knows of it yet. They are not masked, for
    the program would inherit the mask.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals go to the main thread alone
        return
    waiting: list[int] = []
    before = {number: signal.signal(number, lambda got, frame: waiting.append(got)) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for got in waiting:
            signal.raise_signal(got)


def stop(children: Sequence[Running], grace_s: float) -> None:
    """End all of them and all that they started: asked first, killed after `grace_s`, or on a second Ctrl-C."""
    try:
        for child in children:
            child.signal(signal.SIGTERM)
        end = time.monotonic() + grace_s
        for child in children:
            child.reap(max(0, end - time.monotonic()))
    finally:
        for child in children:
            # Also after its own end: what it started may be left.
            child.signal(signal.SIGKILL)
            child.reap(5)

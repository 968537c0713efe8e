"""Programs that run beside us, and their end."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from llmdeploy.runtime.runner import CannotRun, Child, held, stop

STUBBORN = "trap '' TERM; sleep 60 & echo $!; wait; wait"


def started(script: str, log: Path) -> Child:
    child = Child(["bash", "-c", script], {"PATH": "/usr/bin:/bin"}, log)
    end = time.monotonic() + 10
    while not log.read_text() and time.monotonic() < end:
        time.sleep(0.01)
    return child


def running(pid: int) -> bool:
    """A zombie does not run; it waits for init."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int) -> bool:
    end = time.monotonic() + 10
    while running(pid) and time.monotonic() < end:
        time.sleep(0.01)
    return not running(pid)


def test_who_ends_when_asked_is_not_killed(tmp_path: Path) -> None:
    child = started("trap 'echo bye; exit 7' TERM; echo up; while :; do sleep 0.05; done", tmp_path / "log")
    stop([child], grace_s=10)
    assert child.status == 7
    assert child.log.read_text().endswith("bye\n")


def test_who_does_not_is_killed_with_all_it_started(tmp_path: Path) -> None:
    child = started(STUBBORN, tmp_path / "log")
    grandchild = int(child.log.read_text())
    assert running(grandchild)
    stop([child], grace_s=0.2)
    assert child.status == -9
    assert gone(grandchild)


def test_what_a_program_leaves_behind_is_ended_too(tmp_path: Path) -> None:
    child = started("sleep 60 & echo $!", tmp_path / "log")
    grandchild = int(child.log.read_text())
    assert child.reap(10)
    assert running(grandchild)
    stop([child], grace_s=0.2)
    assert gone(grandchild)


def test_a_signal_waits_until_the_program_is_known() -> None:
    known = []
    with pytest.raises(KeyboardInterrupt), held():
        signal.raise_signal(signal.SIGINT)
        known.append("child")
    assert known == ["child"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="cannot be started"):
        Child([str(tmp_path / "none")], {}, tmp_path / "log")

#!/usr/bin/env python3
"""Run a docker daemon of our own: images stay in .tools/docker, everything else ends with it.

    scripts/dockerd.py COMMAND...    run a command that reaches it, such as `docker images` or `bash`

It needs root, and a machine on which no other dockerd runs.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from installing import OWN_INSTALL, ROOT, TOOLS, UnavailableError, say

DATA = TOOLS / "docker"
# Debian keeps daemons in /usr/sbin, which is not on every user's PATH.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
PROGRAMS = ("dockerd", "docker", "unshare", "setpriv")
LOCK = TOOLS / "docker.lock"
START_S, STOP_S = 60, 20
# The kernel's limit for the path of a socket, and the longest one that dockerd makes in its folder.
SOCKET_PATH, LONGEST = 107, "exec/containerd/containerd-debug.sock"
BROKEN = f"rm -r {DATA.relative_to(ROOT)}, then `make images`"


@dataclass(frozen=True, slots=True)
class Dockerd:
    """A daemon that answers, and the folder of what is its own for one run."""

    folder: Path

    @property
    def socket(self) -> Path:
        return self.folder / "sock"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def config(self) -> Path:
        """docker's own configuration: one that knows neither the user's contexts nor credentials."""
        return self.folder / "config"

    @property
    def env(self) -> dict[str, str]:
        """What makes `docker` and everything that calls it reach this daemon."""
        return {"DOCKER_HOST": f"unix://{self.socket}", "DOCKER_CONFIG": str(self.config)}

    def docker(self, *argv: str | os.PathLike[str], timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run docker's command line; its exit status is the caller's to judge."""
        return subprocess.run(
            [program("docker"), *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, **self.env},
            timeout=timeout,
        )


def program(name: str) -> str:
    if found := shutil.which(name, path=PATH):
        return found
    raise UnavailableError(f"{name}: not installed\n  remedy: `make tools` as root, or {OWN_INSTALL}")


def running() -> dict[int, list[str]]:
    """Every dockerd on our network, and its command line: two would rewrite each other's firewall rules."""
    ours, found = Path("/proc/self/ns/net").readlink(), {}
    for process in Path("/proc").glob("[0-9]*"):
        # A process may end while it is looked at.
        with suppress(OSError):
            if (process / "comm").read_text().strip() == "dockerd":
                words = (process / "cmdline").read_text().split("\0")
                if (process / "ns/net").readlink() == ours and any(words):
                    found[int(process.name)] = words
    return found


@contextmanager
def alone() -> Iterator[IO[str]]:
    """Hold what only one daemon at a time can have; it may pass the yielded file on, to hold it longer.

    Another one of ours is waited for: after a killed test run it takes a moment to end.
    """
    if os.geteuid() != 0:
        raise UnavailableError("dockerd: only root can run it\n  remedy: run this as root")
    deadline = time.monotonic() + START_S
    TOOLS.mkdir(exist_ok=True)
    with LOCK.open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise UnavailableError(
                        f"dockerd: another run has used {DATA.relative_to(ROOT)} for {START_S} s"
                        "\n  remedy: wait until it ends"
                    ) from None
                time.sleep(0.2)
        if others := running():
            raise UnavailableError(
                f"dockerd: another one runs on this machine (process {min(others)}), and would lose its firewall rules"
                "\n  remedy: end it, or use a machine without one"
            )
        yield lock


@contextmanager
def dockerd() -> Iterator[Dockerd]:
    """Start a daemon without containers, networks and volumes; end it, and whatever runs on it."""
    for name in PROGRAMS:
        program(name)
    with alone() as lock, tempfile.TemporaryDirectory(prefix="dk-") as folder:
        daemon = Dockerd(Path(folder))
        if len(f"{folder}/{LONGEST}") > SOCKET_PATH:
            raise UnavailableError(
                f"dockerd: {folder} is too long for a socket\n  remedy: set TMPDIR to /tmp"
            )
        process = launch(daemon, lock)
        try:
            wait_until_it_answers(daemon, process)
            # A run that was killed left them.
            sweep(daemon)
            yield daemon
        finally:
            end(daemon, process)


def launch(daemon: Dockerd, lock: IO[str]) -> subprocess.Popen[bytes]:
    """Start it in a process tree of its own, of which nothing outlives it.

    The kernel ends what is left of the tree with the daemon, where containers would go on without
    it; and it ends the daemon, in good order, where this process is killed. Ctrl-C is not for it.
    """
    (daemon.folder / "daemon.json").write_text("{}")
    daemon.config.mkdir()
    with daemon.log.open("wb") as log:
        return subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL"),
                *("unshare", "--pid", "--fork", "--mount-proc", "--kill-child=TERM"),
                *("dockerd", "--host", f"unix://{daemon.socket}", "--data-root", str(DATA)),
                *("--exec-root", str(daemon.folder / "exec"), "--pidfile", str(daemon.folder / "pid")),
                # Neither the machine's own settings nor a network that nobody asked for.
                *("--config-file", str(daemon.folder / "daemon.json"), "--bridge", "none"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PATH": PATH},
            start_new_session=True,
            pass_fds=[lock.fileno()],
        )


def wait_until_it_answers(daemon: Dockerd, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while daemon.docker("version").returncode:
        ended = process.poll() is not None
        if ended or time.monotonic() > deadline:
            tail = "\n".join(daemon.log.read_text(errors="replace").splitlines()[-12:])
            how = f"ended with status {process.returncode}" if ended else f"does not answer in {START_S} s"
            raise UnavailableError(f"dockerd: {how}:\n{tail}\n  remedy: {BROKEN}")
        time.sleep(0.1)


def sweep(daemon: Dockerd) -> None:
    """Remove every container, network and volume; images stay."""
    for listing, removal in (
        (("ps", "--all", "--quiet"), ("rm", "--force", "--volumes")),
        (("network", "ls", "--quiet", "--filter", "type=custom"), ("network", "rm")),
        (("volume", "ls", "--quiet"), ("volume", "rm")),
    ):
        if names := daemon.docker(*listing).stdout.split():
            done = daemon.docker(*removal, *names)
            if done.returncode:
                raise UnavailableError(
                    f"dockerd: cannot remove what runs left: {done.stderr.strip()}\n  remedy: {BROKEN}"
                )


def end(daemon: Dockerd, process: subprocess.Popen[bytes]) -> None:
    """Stop it and wait; what cannot be swept now is swept at the next start."""
    if process.poll() is None:
        with suppress(UnavailableError, subprocess.TimeoutExpired):
            sweep(daemon)
    own = [pid for pid, words in running().items() if f"unix://{daemon.socket}" in words]
    for pid in own:
        os.kill(pid, signal.SIGTERM)
    try:
        # Where there is none yet, or none any more, its parent is what is left to end.
        process.wait(STOP_S if own else 1)
    except subprocess.TimeoutExpired:
        for pid in own:
            os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()


def main() -> int:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND...")
    command = cli.parse_args().command
    if not command:
        cli.error("which command?")
    try:
        with dockerd() as daemon:
            return subprocess.run(command, env={**os.environ, **daemon.env}).returncode
    except UnavailableError as failure:
        say(f"cannot have {failure}")
    except KeyboardInterrupt:
        say("interrupted")
    return 1


if __name__ == "__main__":
    sys.exit(main())

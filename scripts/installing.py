"""What the install scripts share: telling what happens, running pip, and being able to start again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
OWN_INSTALL = "install it with your package manager; the tests also look on PATH"


class UnavailableError(Exception):
    """A thing that cannot be had here; the message says what to do instead."""


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def run(*argv: str | os.PathLike[str], remedy: str, env: dict[str, str] | None = None) -> None:
    """Run a command; when it fails, show the end of what it printed together with the remedy."""
    try:
        done = subprocess.run(argv, text=True, capture_output=True, env={**os.environ, **(env or {})})
    except OSError as error:
        raise UnavailableError(f"{argv[0]}: {error.strerror}\n  remedy: {remedy}") from None
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-8:])
        command = " ".join(str(word) for word in argv)
        raise UnavailableError(f"`{command}` exited {done.returncode}:\n{tail}\n  remedy: {remedy}")


@contextmanager
def installing(folder: Path, label: str, recipe: str = "") -> Iterator[Path | None]:
    """Yield an empty folder to fill, or None when `folder` is complete.

    A folder counts as complete once it holds `.complete` with the recipe it was made by, written
    last: an interrupted or outdated installation is begun again, a finished one costs nothing.
    """
    complete = folder / ".complete"
    if complete.exists() and complete.read_text() == recipe:
        say(f"{label}: present")
        yield None
        return
    say(f"{label}: installing")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    start = time.monotonic()
    yield folder
    complete.write_text(recipe)
    say(f"{label}: installed in {time.monotonic() - start:.0f} s")


def wheel(requirement: str, into: Path) -> zipfile.ZipFile:
    """Download one wheel, without its dependencies and without installing it."""
    run(
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"),
        *("--dest", into, requirement),
        remedy=OWN_INSTALL,
    )
    return zipfile.ZipFile(next(into.glob("*.whl")))


def engine_venv(name: str, requirements: str) -> Path:
    """Make `.tools/NAME`: torch, then exactly the pinned packages of scripts/requirements/REQUIREMENTS.

    The pins are installed without their dependencies: an engine's own list ends in gigabytes of CUDA
    packages, and none of them is asked when it reads a command line.
    """
    home = TOOLS / name
    pins = ROOT / "scripts/requirements" / requirements
    with installing(home, name, recipe=pins.read_text()) as folder:
        if folder:
            pip = (folder / "bin/python", "-m", "pip", "install", "--quiet")
            run(sys.executable, "-m", "venv", folder, remedy="install Python's venv module")
            # From PyPI this is the CUDA build, which works too but is 10 times the size.
            index = os.environ.get("TORCH_INDEX_URL")
            run(
                *(*pip, "torch==2.13.0", *(("--index-url", index) if index else ())),
                remedy="set TORCH_INDEX_URL to a package index that has PyTorch's CPU builds",
            )
            run(
                *(*pip, "--no-deps", "--only-binary", ":all:", "--requirement", pins),
                remedy="the pins are for CPython 3.11 to 3.13 on Linux, x86_64",
            )
    return home

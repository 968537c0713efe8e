"""Real tools for tests: where they are, and running one.

A tool that is missing skips the test, with what to do about it. Where CI is set it fails the test:
a suite that passes because nothing was asked is worth nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".tools"
# Debian keeps nginx in /usr/sbin, which is not on an ordinary user's PATH.
PLACES = os.pathsep.join(
    [str(TOOLS / "bin"), str(ROOT / ".venv/bin"), os.environ.get("PATH", os.defpath), "/usr/sbin"]
)

Run = Callable[..., subprocess.CompletedProcess[str]]


def missing(what: str, remedy: str) -> NoReturn:
    message = f"{what} is not here: run `{remedy}`"
    if os.environ.get("CI"):
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def tool(name: str) -> Path:
    """The path of a tool, from .tools, .venv or PATH, in this order."""
    if found := shutil.which(name, path=PLACES):
        return Path(found)
    missing(name, "make tools")


def runner(name: str) -> Run:
    """A function that runs `name`: its arguments are the tool's, `input` goes to its stdin."""
    program = tool(name)

    def run(
        *argv: str | os.PathLike[str],
        input: str | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *argv],
            input=input,
            stdin=None if input is not None else subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            timeout=timeout,
        )

    return run


def engine_python(name: str) -> Path:
    """The Python of an engine's own environment, such as `vllm-0.33`."""
    home = TOOLS / name
    # `.complete` is what the install script writes last.
    if (home / ".complete").exists():
        return home / "bin/python"
    missing(f".tools/{name}", "make oracles")

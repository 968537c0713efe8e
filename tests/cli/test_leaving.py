"""The command ends without the interpreter's own tidying up: what it printed is out, and its status is right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HYBRID = Path(__file__).parents[2] / "examples/02-hybrid/llm.yaml"


def run(words: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "llmdeploy", *words.split(), str(HYBRID)]
    return subprocess.run(command, stderr=subprocess.PIPE, timeout=60, check=False, **options)


def shell(words: str, end: str) -> subprocess.CompletedProcess[str]:
    line = f"{sys.executable} -m llmdeploy {words} {HYBRID} {end}"
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(("words", "status"), [("validate", 0), ("explain", 2), ("validate --no-such", 2)])
def test_status(words: str, status: int) -> None:
    assert run(words, stdout=subprocess.DEVNULL).returncode == status


def test_all_of_a_long_output_is_out() -> None:
    assert run("plan --format json", stdout=subprocess.PIPE).stdout.endswith(b"}\n")


def test_a_reader_that_has_enough_is_no_error() -> None:
    found = shell("plan --format json", "| head -c 1")
    assert (found.stdout, found.stderr) == ("{", "")


@pytest.mark.parametrize("words", ["validate", "plan"])
def test_a_full_disk_is_named(words: str) -> None:
    found = shell(words, "> /dev/full")
    assert found.returncode == 3 and "disk is full" in found.stderr and "Traceback" not in found.stderr


def test_a_closed_output_is_none() -> None:
    found = shell("validate", ">&-")
    assert (found.returncode, found.stderr) == (0, "")

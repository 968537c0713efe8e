"""The smoke test on a real SGLang behind a real nginx: another engine, several processes, a key from a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import pytest
import yaml
from support import tiny

pytestmark = [pytest.mark.boots, pytest.mark.needs("nginx"), pytest.mark.xdist_group("sglang-serving")]

ASKED = {"name", "chat", "stream", "schema", "key"}
GRACE_S = 20  # what a smoke test gives an engine to end, before it kills it


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tiny.engine_bin(tiny.SGLANG)  # first: without it there is nothing to ask
    home = tmp_path_factory.mktemp("tiny-sglang")
    tiny.make_model(home / "model")
    (home / "llm.yaml").write_text(yaml.safe_dump(tiny.sglang()))
    return home


def test_it_boots_asks_and_leaves_nothing_behind(folder: Path) -> None:
    process = subprocess.Popen(
        command(),
        cwd=folder,
        env={**os.environ, tiny.KEY_ENV: tiny.KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    told = until(process.stderr, "tiny: ready in ")
    ready = time.monotonic()
    engine = running_in(folder) - {process.pid}
    out, rest = process.communicate(timeout=120)
    assert process.returncode == 0, told + rest
    checks = json.loads(out)["checks"]
    assert all(check["ok"] for check in checks), checks
    assert names(checks, "direct") >= {"live", "ready", "drain", *ASKED}
    assert names(checks, "/tiny") >= {"closed", *ASKED}
    assert len(engine) >= 3, "the scheduler and the detokenizer are processes of their own"
    assert not running_in(folder), "an engine outlived the command"
    assert time.monotonic() - ready < 60 + GRACE_S


def command() -> list[str]:
    """Run where llm.yaml is: every process that comes of it works there, whatever it calls itself."""
    return [
        *(sys.executable, "-m", "llmdeploy", "smoke-test", "llm.yaml", "--format", "json"),
        *("--runtime", "process", "--engine-bin", f"sglang={tiny.engine_bin(tiny.SGLANG)}"),
        *("--timeout", "180"),
    ]


def names(checks: Iterable[dict[str, str]], via: str) -> set[str]:
    return {check["check"] for check in checks if check["via"] == via}


def until(stream: TextIO, wanted: str) -> str:
    """Return what a process says up to the line with `wanted`, or to its end."""
    lines = []
    for line in stream:
        lines.append(line)
        if wanted in line:
            break
    return "".join(lines)


def running_in(folder: Path) -> set[int]:
    """The processes whose working directory this is. SGLang's change the names that they show."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/cwd"):
        try:
            here = path.readlink()
        except OSError:  # it has ended, is a zombie, or is another user's
            continue
        if here == folder:
            found.add(int(path.parent.name))
    return found

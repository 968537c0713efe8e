"""A real vLLM that does not start: the command ends at once, in exit 3 and the engine's own reason in one line."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import tiny

pytestmark = [pytest.mark.boots, pytest.mark.xdist_group("vllm-serving")]

LIMIT_S = 180
# That of llmdeploy.runtime.logs, and a little for the model's name and the status.
LONGEST = 340


@dataclass(frozen=True)
class Broken:
    """`says` is a part of the engine's reason, a regex. `model` goes into llm.yaml.

    `args` and `env` are what llmdeploy would not write: they are added to its own command line on the way.
    """

    says: str
    model: Mapping[str, Any] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


BROKEN = {
    "unknown flag": Broken("unrecognized arguments: --no-such-flag", args=("--no-such-flag", "1")),
    "unknown choice": Broken("argument --convert: invalid choice: 'nope'", args=("--convert", "nope")),
    "unknown tool parser": Broken(
        "invalid tool call parser: nope", args=("--enable-auto-tool-choice", "--tool-call-parser", "nope")
    ),
    "no tool parser": Broken(
        "--enable-auto-tool-choice requires --tool-call-parser", args=("--enable-auto-tool-choice",)
    ),
    "no such model": Broken(
        "Cannot find .* outgoing traffic has been disabled", {"source": "llmdeploy/no-such-model"}
    ),
    "empty directory": Broken("local directory specified: '.*/empty'", {"source": "./empty"}),
    "half a download": Broken("SafetensorError: .* file not fully covered", {"source": "./cut"}),
    "tensor size": Broken(
        r"attention heads \(2\) must be divisible by tensor parallel size \(3\)",
        args=("--tensor-parallel-size", "3"),
    ),
    "context": Broken(r"max_model_len \(9999\) is greater than", args=("--max-model-len", "9999")),
    "int4": Broken("Unknown quantization method: int4", args=("--quantization", "int4")),
    "bitsandbytes": Broken(
        "Unknown quantization method: bitsandbytes", args=("--quantization", "bitsandbytes")
    ),
    "awq of no checkpoint": Broken("Cannot find the config file for awq", args=("--quantization", "awq")),
    "fp8 on a CPU": Broken("RuntimeError: .*fp8", args=("--quantization", "fp8")),
    "no chat template": Broken(
        r"/no/such\.jinja.* doesn't exist", args=("--chat-template", "/no/such.jinja")
    ),
    "small KV cache": Broken(
        r"max seq len \(2048\)", {"context": 2048}, args=("--kv-cache-memory-bytes", "256k")
    ),
    "a Service's variable": Broken(
        "VLLM_PORT 'tcp://.*' appears to be a URI", env={"VLLM_PORT": "tcp://10.0.0.1:80"}
    ),
}


Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Beside the model: one without any file, and one with half of its weights."""
    home = tmp_path_factory.mktemp("failures")
    tiny.make_model(home / "model")
    (home / "empty").mkdir()
    weights = shutil.copytree(home / "model", home / "cut") / "model.safetensors"
    os.truncate(weights, weights.stat().st_size // 2)
    return home


@pytest.fixture(scope="module")
def runs(folder: Path, request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[Done]]]:
    """The commands of all tests that were chosen, two at a time.

    An engine that does not start spends its time on imports, on one core. Each test waits for its own.
    """
    chosen = dict.fromkeys(
        item.callspec.params["name"]
        for item in request.session.items
        if isinstance(item, pytest.Function) and item.path == request.path
    )
    pool = ThreadPoolExecutor(2)
    try:
        yield {name: pool.submit(smoke_test, folder, name) for name in chosen}
    finally:
        pool.shutdown(cancel_futures=True)


def smoke_test(folder: Path, name: str) -> Done:
    """The whole command, in a process of its own."""
    broken = BROKEN[name]
    spec = folder / f"{name}.yaml"
    spec.write_text(yaml.safe_dump(tiny.spec(**broken.model)))
    return subprocess.run(
        [
            *(sys.executable, "-m", "llmdeploy", "smoke-test", spec, "--runtime", "process"),
            *("--engine-bin", programs(folder / name, broken), "--timeout", str(LIMIT_S), "--format", "json"),
        ],
        env={**os.environ, tiny.KEY_ENV: tiny.KEY},
        capture_output=True,
        text=True,
        timeout=LIMIT_S + 60,
    )


def programs(folder: Path, broken: Broken) -> Path:
    """A directory with a `vllm` that is the real one, after what breaks it has been added."""
    folder.mkdir()
    variables = [shlex.quote(f"{name}={value}") for name, value in broken.env.items()]
    program = folder / "vllm"
    words = ["exec", "env", *variables, shlex.quote(str(tiny.engine_bin() / "vllm")), '"$@"', *broken.args]
    program.write_text(f"#!/bin/sh\n{' '.join(words)}\n")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize("name", list(BROKEN))
def test_it_ends_with_the_engines_own_reason(runs: Mapping[str, Future[Done]], name: str) -> None:
    done = runs[name].result()
    assert done.returncode == 3, done.stderr
    error = json.loads(done.stdout)["error"]
    print(error)
    assert re.match("`tiny` ended with status [12]: ", error)
    assert re.search(BROKEN[name].says, error), error
    assert "\n" not in error and len(error) < LONGEST
    assert f"failed: {error}\n" in done.stderr

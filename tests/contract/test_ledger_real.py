"""The real vLLM on a CPU holds what the ledger says, to the byte and to the token.

A tiny model of each shape is compiled for a CPU pool, and vLLM is started with exactly the arguments that are emitted. One
process of its own Python starts all of them: importing vLLM takes longer than what follows.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import tiny
from support.tools import ROOT, engine_python

from llmdeploy import compile
from llmdeploy.facts import safetensors
from llmdeploy.facts.gather import gather
from llmdeploy.memory import Card, Ledger, Model, Question
from llmdeploy.plan.model import Service
from llmdeploy.registry import ENGINES

pytestmark = [pytest.mark.boots, pytest.mark.xdist_group("vllm-ledger")]

SHAPES = ("mqa", "gqa", "window", "moe", "mla")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_shapes(tmp_path_factory.mktemp("shapes"), *SHAPES)


@pytest.fixture(scope="module")
def services(folder: Path) -> dict[str, Service]:
    return {shape: compiled(folder, shape) for shape in SHAPES}


@pytest.fixture(scope="module")
def held(folder: Path, services: dict[str, Service]) -> dict[str, dict[str, Any]]:
    """What each engine holds, by the shape of its model."""
    asked = [
        [str(folder / shape) if word == "/model" else word for word in service.launch.argv]
        for shape, service in services.items()
    ]
    done = subprocess.run(
        [engine_python(tiny.ENGINE), ROOT / "tests/support/inside_vllm.py"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_API_KEY": tiny.KEY},
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == len(SHAPES), done.stderr[-4000:]
    return dict(zip(SHAPES, lines, strict=True))


def compiled(folder: Path, shape: str) -> Service:
    spec = tiny.spec(source=f"./{shape}")
    spec["gpus"]["cpu"]["memory"] = "4GiB"
    result = compile(
        yaml.safe_dump(spec), ["docker"], lambda parsed: gather(parsed, folder, folder / "out"), emit=False
    )
    assert result.plan and result.ok, result.diagnostics
    return result.plan.services[0]


def ledger(service: Service) -> Ledger:
    assert service.memory is not None and service.memory.ranks, service.memory
    return service.memory


def weights(found: Ledger) -> float:
    return found.ranks[0].weights_gib * 2**30


@pytest.mark.parametrize("shape", SHAPES)
def test_the_cache_has_the_tokens_of_the_ledger(shape, services, held) -> None:
    found = ledger(services[shape])
    assert found.kv_tokens == held[shape]["kv_tokens"]
    assert found.requests_at_context == held[shape]["at_once"]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_weights_have_the_bytes_of_the_headers_ledger(shape, services, held) -> None:
    assert weights(ledger(services[shape])) == held[shape]["weights"]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_weights_have_the_bytes_that_config_json_alone_gives(shape, folder, services, held) -> None:
    config = json.loads((folder / shape / "config.json").read_text())
    pool = 1 << 30
    asked = Question("vllm", "0.32.0", Model(shape, "config.json", config), Card("cpu", 4.0), kv_bytes=pool)
    assert weights(ENGINES.get("vllm").memory(asked)) == held[shape]["weights"]
    # That the other ledger rests on the headers, and not on this.
    assert safetensors.read(folder / shape)
    assert ledger(services[shape]).notes == tuple(
        note for note in ENGINES.get("vllm").memory(asked).notes if "config.json" not in note
    )

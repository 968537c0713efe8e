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
# What `engine_args` change of the second of these, by a name.
CHANGED: dict[str, dict[str, Any]] = {
    "blocks": {"num-gpu-blocks-override": 40},
    "smaller blocks": {"block-size": 32},
    "few large blocks": {"block-size": 64, "num-gpu-blocks-override": 9},
    "one layer": {"hf-overrides": {"num_hidden_layers": 1}, "load-format": "dummy"},
    "short": {"hf-overrides.max_position_embeddings": 512},
    "not eager": {"enforce-eager": False, "compilation-config.mode": 0},
}
CASES = (*SHAPES, *CHANGED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_shapes(tmp_path_factory.mktemp("shapes"), *SHAPES)


@pytest.fixture(scope="module")
def services(folder: Path) -> dict[str, Service]:
    changed = {case: compiled(folder, "gqa", args) for case, args in CHANGED.items()}
    return {shape: compiled(folder, shape) for shape in SHAPES} | changed


@pytest.fixture(scope="module")
def held(folder: Path, services: dict[str, Service]) -> dict[str, dict[str, Any]]:
    """What each engine holds, by the shape of its model, or by what is changed of it."""
    asked = [
        [
            str(folder / (case if case in SHAPES else "gqa")) if word == "/model" else word
            for word in service.launch.argv
        ]
        for case, service in services.items()
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
    assert len(lines) == len(CASES), done.stderr[-4000:]
    return dict(zip(CASES, lines, strict=True))


def compiled(folder: Path, shape: str, engine_args: dict[str, Any] | None = None) -> Service:
    spec = tiny.spec(source=f"./{shape}")
    spec["gpus"]["cpu"]["memory"] = "4GiB"
    spec["models"]["tiny"]["engine_args"] |= engine_args or {}
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


@pytest.mark.parametrize("case", CASES)
def test_the_cache_has_the_tokens_of_the_ledger(case, services, held) -> None:
    found = ledger(services[case])
    assert found.kv_tokens == held[case]["kv_tokens"]
    assert found.requests_at_context == held[case]["at_once"]


@pytest.mark.parametrize("case", CASES)
def test_the_weights_have_the_bytes_of_the_headers_ledger(case, services, held) -> None:
    assert weights(ledger(services[case])) == held[case]["weights"]


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

"""One load on several ways to serve one model: the compiled command, vLLM's defaults and its recipe, in turns.

The load is `vllm bench serve` with random prompts of fixed lengths. All servers import before the first is measured,
so that nothing else runs beside one. A load begins when its server is ready, however long that compiled.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import boot
import compiled
import machine
import models
import yaml
from asked import Asked
from msgspec import Struct

_HEALTH = "/health"
_IMPORTS_S = 300.0
_READY_S = 240.0
_LOAD_S = 300.0
_PATIENCE = {"VLLM_ENGINE_READY_TIMEOUT_S": "3600"}
"""It counts from the first line on, also while it waits for the card."""
_FIGURES = (
    "duration",
    "completed",
    "failed",
    "total_input_tokens",
    "total_output_tokens",
    "request_throughput",
    "output_throughput",
    "total_token_throughput",
    "median_ttft_ms",
    "p99_ttft_ms",
    "median_tpot_ms",
    "p99_tpot_ms",
)


class _Way(Struct, frozen=True):
    name: str
    begun: boot.Begun
    round: int
    argv: tuple[str, ...]


def run(asked: Asked, file: Path, rounds: range) -> None:
    """Write OUT/throughput.jsonl, a line for each run as it ends."""
    stated = yaml.safe_load(file.read_text(encoding="utf-8"))
    words = models.tokenizer(asked.engine, asked.work / "tokenizer")
    shape = models.config(stated["shape"], changed=stated.get("with"))
    model = models.write(asked.work / "model", shape, words)
    ran_on = machine.text(asked.engine, asked.version, asked.without)
    order = [(turn, way) for turn in rounds for way in stated["ways"]]
    begun = [_begin(way, turn, asked, model) for turn, way in order]
    try:
        for each in begun:
            each.begun.at_gate(_IMPORTS_S)
        for each in begun:
            if asked.left_s() < _LOAD_S / 5:
                print(f"{each.name}, round {each.round}: no time is left", flush=True)
                break
            found = _measured(each, stated["load"], asked, model)
            line = {"way": each.name, "round": each.round, "argv": each.argv, **found, "on": ran_on}
            with (asked.out / "throughput.jsonl").open("a", encoding="utf-8") as results:
                results.write(json.dumps(line) + "\n")
            print({key: value for key, value in line.items() if key not in ("argv", "on")}, flush=True)
    finally:
        for each in begun:
            each.begun.end()


def _begin(way: dict[str, Any], turn: int, asked: Asked, model: Path) -> _Way:
    log = asked.work / f"{way['name'].replace(' ', '-')}-{turn}.log"
    if "model" in way:
        service = compiled.service(way["model"], asked.work, asked.gpu, asked.version)
        return _Way(
            way["name"], boot.begin_service(service, asked.work, asked.engine, log), turn, service.launch.argv
        )
    port = boot.free_port()
    argv = ("vllm", "serve", str(model), "--load-format", "dummy", *way["args"])
    served = (*argv, "--host", "127.0.0.1", "--port", str(port))
    return _Way(way["name"], boot.begin(served, _PATIENCE, port, asked.engine, log), turn, argv)


def _measured(way: _Way, load: dict[str, int], asked: Asked, model: Path) -> dict[str, Any]:
    try:
        ready_s = way.begun.ready(_HEALTH, min(_READY_S, asked.left_s()))
        if ready_s is None:
            return {"ready_s": None}
        return {"ready_s": ready_s, **_loaded(way, load, asked, model)}
    finally:
        way.begun.end()


def _loaded(way: _Way, load: dict[str, int], asked: Asked, model: Path) -> dict[str, Any]:
    result = asked.work / "bench.json"
    result.unlink(missing_ok=True)
    argv = (
        *(
            asked.engine / "vllm",
            "bench",
            "serve",
            "--base-url",
            way.begun.url,
            "--model",
            _served(way.begun),
        ),
        *("--tokenizer", model, "--dataset-name", "random", "--ignore-eos", "--seed", str(way.round)),
        *("--random-input-len", str(load["input"]), "--random-output-len", str(load["output"])),
        *("--num-prompts", str(load["prompts"]), "--max-concurrency", str(load["concurrency"])),
        *("--save-result", "--result-filename", result),
    )
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_LOAD_S)
    if not result.exists():
        return {"failed": (done.stdout + done.stderr)[-2000:]}
    found = json.loads(result.read_text(encoding="utf-8"))
    return {key: found[key] for key in _FIGURES if key in found}


def _served(begun: boot.Begun) -> str:
    from llmdeploy.runtime.http import Client

    return str(Client(begun.url).get("/v1/models").json()["data"][0]["id"])

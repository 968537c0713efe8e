"""One load on several ways to serve one model: the compiled command, vLLM's defaults and its recipe, in turns.

All stand on the card at once, each with the same share of it and the same bytes of KV cache, and one is asked while
the others are idle: so the turns are short, and nothing is compiled or loaded between them. The load is
`vllm bench serve` with random prompts of fixed lengths, after a warm-up of as many requests as run at once.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boot
import compiled
import machine
import models
import yaml
from asked import Asked
from msgspec import Struct

from llmdeploy.runtime.runner import Child, stop

_HEALTH = "/health"
_IMPORTS_S = 200.0
_READY_S = 240.0
_LOAD_S = 240.0
_LEAST_S = 45.0
"""What a turn takes at least: with less left, none is begun."""
_PERIOD_S = 0.2
# Imports what the client needs and waits for its turn, so that no time on the card goes to that.
_CLIENT = """
import sys, time, pathlib
import vllm.benchmarks.serve
from vllm.entrypoints.cli.main import main
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.05)
sys.argv[1:] = sys.argv[2:]
main()
"""
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
    argv: tuple[str, ...]
    served: str
    begun: boot.Begun


class _Turn(Struct, frozen=True):
    """A client that waits at its gate, and where it writes what it measured."""

    way: _Way
    round: int
    client: Child
    gate: Path
    result: Path


def run(asked: Asked, file: Path, rounds: range) -> None:
    """Write OUT/throughput.jsonl, a line for each turn as it ends."""
    stated = yaml.safe_load(file.read_text(encoding="utf-8"))
    words = models.tokenizer(asked.engine, asked.work / "tokenizer")
    shape = models.config(stated["shape"], changed=stated.get("with"))
    model = models.write(asked.work / "model", shape, words)
    ran_on = machine.text(asked.engine, asked.version, asked.without)
    ways: list[_Way] = []
    turns: list[_Turn] = []
    try:
        ways += _begun(stated, asked, model)
        turns += [
            _client(way, turn, stated["load"], asked, model)
            for turn in rounds
            for way in _rotated(ways, turn)
        ]
        _until_ready(ways, asked)
        for turn in turns:
            if asked.left_s() < _LEAST_S:
                print(
                    f"round {turn.round}, {turn.way.name}: not asked, {asked.left_s():.0f} s are left",
                    flush=True,
                )
                break
            found = _measured(turn, min(_LOAD_S, asked.left_s()))
            argv = ["./model" if word in ("/model", str(model)) else word for word in turn.way.argv]
            line = {"way": turn.way.name, "round": turn.round, "argv": argv, **found, "on": ran_on}
            with (asked.out / "throughput.jsonl").open("a", encoding="utf-8") as results:
                results.write(json.dumps(line) + "\n")
            print({key: value for key, value in line.items() if key not in ("argv", "on")}, flush=True)
    finally:
        stop([*(turn.client for turn in turns), *(way.begun.child for way in ways)], 15)


def _begun(stated: dict[str, Any], asked: Asked, model: Path) -> list[_Way]:
    """Begin them all. What is compiled says how many bytes of KV cache its share of the card leaves; the others get as many."""
    service = compiled.service(stated["model"], asked.work, asked.gpu, asked.version)
    argv = service.launch.argv
    kv_bytes = argv[argv.index("--kv-cache-memory-bytes") + 1]
    log = asked.work / "llmdeploy.log"
    ours = boot.begin_service(service, asked.work, asked.engine, log)
    found = [_Way("llmdeploy", argv, service.served_names[0], ours)]
    for index, way in enumerate(stated["ways"]):
        port = boot.free_port()
        share = ("--gpu-memory-utilization", str(stated["share"]), "--kv-cache-memory-bytes", kv_bytes)
        theirs = ("vllm", "serve", str(model), *way["args"], *share, "--load-format", "dummy")
        where = ("--host", boot.HOST, "--port", str(port))
        log = asked.work / f"way-{index}.log"
        begun = boot.begin((*theirs, *where), {}, port, asked.engine, log)
        found.append(_Way(way["name"], theirs, str(model), begun))
    return found


def _rotated(ways: Sequence[_Way], turn: int) -> list[_Way]:
    """Return them so that over the rounds each is asked first, second and last."""
    at = (turn - 1) % len(ways)
    return [*ways[at:], *ways[:at]]


def _client(way: _Way, turn: int, load: dict[str, int], asked: Asked, model: Path) -> _Turn:
    name = f"client-{way.begun.port}-{turn}"
    gate, result = asked.work / f"{name}.gate", asked.work / f"{name}.json"
    for old in (gate, result):
        old.unlink(missing_ok=True)
    numbers = {
        "--random-input-len": load["input"],
        "--random-output-len": load["output"],
        "--num-prompts": load["prompts"],
        "--max-concurrency": load["concurrency"],
        "--num-warmups": load["concurrency"],
        "--seed": turn,
    }
    argv = (
        *(
            str(asked.engine / "python"),
            "-c",
            _CLIENT,
            str(gate),
            "bench",
            "serve",
            "--base-url",
            way.begun.url,
        ),
        *("--model", way.served, "--tokenizer", str(model), "--dataset-name", "random", "--ignore-eos"),
        *(word for flag, number in numbers.items() for word in (flag, str(number))),
        *("--save-result", "--result-filename", str(result)),
    )
    return _Turn(way, turn, Child(argv, os.environ, asked.work / f"{name}.log"), gate, result)


def _until_ready(ways: Sequence[_Way], asked: Asked) -> None:
    """Open all gates when all have imported; each has its own part of the card, and looks at no other's."""
    for way in ways:
        way.begun.at_gate(_IMPORTS_S)
    for way in ways:
        way.begun.gate.touch()
    for way in ways:
        took = way.begun.ready(_HEALTH, min(_READY_S, asked.left_s()))
        print(f"{way.name}: {'not ready' if took is None else 'ready'}", flush=True)


def _measured(turn: _Turn, limit_s: float) -> dict[str, Any]:
    turn.gate.touch()
    end = time.monotonic() + limit_s
    while turn.client.status is None and time.monotonic() < end:
        time.sleep(_PERIOD_S)
    if not turn.result.exists():
        return {"why": turn.client.log.read_text(encoding="utf-8", errors="replace")[-2000:]}
    found = json.loads(turn.result.read_text(encoding="utf-8"))
    return {key: found[key] for key in _FIGURES if key in found}

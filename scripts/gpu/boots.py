"""Boot what llmdeploy compiles, model after model with dummy weights, and lay the ledger beside the log."""

from __future__ import annotations

import gzip
import json
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import boot
import compiled
import machine
import models
import yaml
from asked import Asked
from msgspec import Struct
from row import Booted, row

from llmdeploy.plan.model import Service
from llmdeploy.runtime.http import Client, Unreachable

_LEAST_S = 40.0
"""What a boot takes at least: with less left, no gate is opened."""
_IMPORTS_S = 150.0


class _Turn(Struct, frozen=True):
    stated: dict[str, Any]
    service: Service
    log: Path
    begun: boot.Begun


def run(
    asked: Asked, file: Path, only: Sequence[str], skip: Sequence[str], limit_s: float, ahead: int
) -> None:
    """Write OUT/results.jsonl as rows come, and each log beside it. A verdict of NO is booted as well."""
    ran_on = machine.card(asked.gpu), machine.text(asked.engine, asked.version, asked.without)
    words = models.tokenizer(asked.engine, asked.work / "tokenizer")
    for turn in _begun(_chosen(file, only, skip), asked, words, ahead):
        left = asked.left_s()
        if left < _LEAST_S:
            turn.begun.end()
            print(f"{turn.stated['name']}: not booted, {left:.0f} s are left", flush=True)
            continue
        began = time.monotonic()
        turn.begun.at_gate(_IMPORTS_S)
        booted = _booted(turn, min(limit_s, left - 15))
        assert turn.service.memory is not None
        (asked.out / f"{turn.stated['name']}.log.gz").write_bytes(gzip.compress(turn.log.read_bytes()))
        found = row(turn.stated, turn.service.memory, booted, turn.log, ran_on)
        with (asked.out / "results.jsonl").open("a", encoding="utf-8") as results:
            results.write(json.dumps(found) + "\n")
        _tell(found, booted, time.monotonic() - began)


def _chosen(file: Path, only: Sequence[str], skip: Sequence[str]) -> list[dict[str, Any]]:
    every = yaml.safe_load(file.read_text(encoding="utf-8"))["configurations"]
    by_name = {one["name"]: one for one in every}
    return [by_name[name] for name in only or by_name if name not in skip]


def _begun(chosen: list[dict[str, Any]], asked: Asked, words: Path, ahead: int) -> Iterator[_Turn]:
    """Yield each in its turn, while `ahead` more import; ends those that never had theirs."""
    waiting = deque[_Turn]()
    rest = iter(chosen)
    try:
        while True:
            while len(waiting) <= ahead and (one := next(rest, None)):
                waiting.append(_begin(one, asked, words))
            if not waiting:
                return
            yield waiting.popleft()
    finally:
        for turn in waiting:
            turn.begun.end()


def _begin(one: dict[str, Any], asked: Asked, words: Path) -> _Turn:
    folder = asked.work / one["name"]
    models.write(folder / "model", models.config(one["shape"], one.get("as"), one.get("with")), words)
    for name, adapter in one["model"].get("adapters", {}).items():
        models.adapter(asked.engine, folder / "model", folder / name, adapter["rank"])
    # Debug lines tell what a profile consists of.
    model = {"env": {"VLLM_LOGGING_LEVEL": "DEBUG"}, **one["model"]}
    service = compiled.service(model, folder, asked.gpu, asked.version)
    log = folder / "log"
    return _Turn(one, service, log, boot.begin_service(service, folder, asked.engine, log))


def _booted(turn: _Turn, limit_s: float) -> Booted:
    begun = turn.begun
    try:
        ready_s = begun.ready(turn.service.probes.startup.path, limit_s)
        answer = _chat(begun.url, turn.service.served_names[0]) if ready_s is not None else None
        return Booted(ready_s, begun.child.status, answer)
    finally:
        begun.end()


def _chat(url: str, name: str) -> str:
    """Return the status of one answer and its number of tokens, or why there was none."""
    asked = {"model": name, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 16}
    try:
        answer = Client(url, deadline_s=60).post("/v1/chat/completions", asked)
        tokens = answer.json()["usage"]["completion_tokens"] if answer.status == 200 else "no"
    except (Unreachable, ValueError, LookupError) as why:
        return f"no answer: {why}"
    return f"{answer.status}, {tokens} tokens"


def _tell(found: dict[str, Any], booted: Booted, took_s: float) -> None:
    point, ledger = found["point"], found["ledger"]
    pairs = (
        ("weights_gib", "weights_gib"),
        ("act_gib", "activation_gib"),
        ("graph_gib", "cuda_graphs_gib"),
        ("kv_gib", "kv_gib"),
        ("kv_tokens", "kv_tokens"),
    )
    told = "  ".join(f"{seen} {point.get(seen)} ({ledger.get(said)})" for seen, said in pairs)
    ready = f"ready in {booted.ready_s:.0f} s" if booted.ready_s else f"not ready: {point.get('failure')}"
    print(
        f"{found['name']}: {ledger['verdict']}, {ready}; {told}; chat {booted.chat}; {took_s:.0f} s",
        flush=True,
    )

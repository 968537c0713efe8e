"""Boot on a GPU what llmdeploy compiles, model after model with dummy weights, and lay the ledger beside the log.

    python scripts/gpu --engine-bin DIR --out DIR [--only NAME …] [--skip NAME …] [--limit 120] [--within 560]

Results are written as they come: OUT/results.jsonl, and each log beside it. `--gpu` names the card's row in the
catalog. A verdict of NO is no reason not to boot: that such a model fails is measured as well.
"""

from __future__ import annotations

import argparse
import gzip
import json
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

import models  # noqa: E402  beside this file
from boot import Booted, boot  # noqa: E402
from row import row  # noqa: E402

from llmdeploy.cli.common import compile_file  # noqa: E402
from llmdeploy.plan.model import Service  # noqa: E402

_LEAST_S = 45.0
"""What a boot takes at least: with less left, none is begun."""


def main(argv: list[str]) -> int:
    asked = _arguments(argv)
    end = time.monotonic() + asked.within
    asked.out.mkdir(parents=True, exist_ok=True)
    machine = _machine(asked)
    work = asked.work.resolve()
    words = models.tokenizer(asked.engine_bin.resolve(), work / "tokenizer")
    for one in _chosen(asked):
        left = end - time.monotonic()
        if left < _LEAST_S:
            print(f"{one['name']}: not begun, {left:.0f} s are left", flush=True)
            break
        _measure(one, asked, work, words, machine, min(asked.limit, left - 15))
    return 0


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="gpu")
    parser.add_argument("--engine-bin", type=Path, required=True, help="holds `vllm` and `python`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path(".gpu-models"), help="models are made here")
    parser.add_argument("--configurations", type=Path, default=HERE / "configurations.yaml")
    parser.add_argument("--only", nargs="*", help="names, in this order")
    parser.add_argument("--skip", nargs="*", default=[], help="names")
    parser.add_argument("--limit", type=float, default=150, help="seconds for one boot")
    parser.add_argument("--within", type=float, default=3600, help="seconds for all")
    parser.add_argument("--gpu", default="h200-sxm-141gb")
    parser.add_argument("--version", default="0.26.0", help="of vLLM")
    return parser.parse_args(argv)


def _chosen(asked: argparse.Namespace) -> list[dict[str, Any]]:
    every = yaml.safe_load(asked.configurations.read_text(encoding="utf-8"))["configurations"]
    by_name = {one["name"]: one for one in every}
    return [by_name[name] for name in asked.only or by_name if name not in asked.skip]


def _measure(
    one: dict[str, Any],
    asked: argparse.Namespace,
    work: Path,
    words: Path,
    machine: dict[str, Any],
    limit: float,
) -> None:
    began = time.monotonic()
    folder = work / one["name"]
    models.write(folder / "model", models.config(one["shape"], one.get("as"), one.get("with")), words)
    service = _compiled(one, folder, asked)
    assert service.memory is not None
    log = folder / "log"
    booted = boot(service, folder, asked.engine_bin.resolve(), log, limit)
    (asked.out / f"{one['name']}.log.gz").write_bytes(gzip.compress(log.read_bytes()))
    found = row(one, service.memory, booted, log, machine)
    with (asked.out / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(found) + "\n")
    _tell(found, booted, time.monotonic() - began)


def _compiled(one: dict[str, Any], folder: Path, asked: argparse.Namespace) -> Service:
    """Write llm.yaml and compile it. Raises where it has a plan no more, not where the plan does not fit."""
    stated = one["model"]
    model = {
        "source": "./model",
        "engine": "vllm",
        "engine_version": asked.version,
        "dtype": "bfloat16",
        "env": {"VLLM_LOGGING_LEVEL": "DEBUG"},  # which tells what a profile consists of
        **stated,
        "engine_args": {"load-format": "dummy", **stated.get("engine_args", {})},
    }
    pool = {"type": "cpu", "memory": "6GiB"} if asked.gpu == "cpu" else {"type": asked.gpu, "count": 1}
    spec = {
        "version": 1,
        "name": "gpu",
        "gpus": {"gpu": pool},
        "models": {"m": model},
        "targets": {"docker": {}},
    }
    file = folder / "llm.yaml"
    file.write_text(yaml.safe_dump(spec), encoding="utf-8")
    result = compile_file(str(file), ["docker"], folder / "out", emit=False)
    if result.plan is None:
        raise SystemExit(f"{one['name']}: {[str(each.message) for each in result.diagnostics]}")
    return result.plan.services[0]


def _tell(found: dict[str, Any], booted: Booted, took: float) -> None:
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
        f"{found['name']}: {ledger['verdict']}, {ready}; {told}; chat {booted.chat}; {took:.0f} s", flush=True
    )


def _machine(asked: argparse.Namespace) -> dict[str, Any]:
    """Ask the driver for the card, and the engine's Python for the versions."""
    query = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")
    card = _output(query) or platform.machine()
    program = "import torch, transformers; print(f'torch {torch.__version__}, transformers {transformers.__version__}')"
    versions = _output((str(asked.engine_bin.resolve() / "python"), "-c", program))
    names = {"h200-sxm-141gb": "H200-141GB"}
    text = f"{card}; vLLM {asked.version}, {versions}; dummy weights"
    return {"card": {"gpu": names.get(asked.gpu, asked.gpu)}, "text": text}


def _output(argv: tuple[str, ...]) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, timeout=120).stdout.strip()
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

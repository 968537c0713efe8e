"""`make bench`: what the commands cost, side by side in one run, as medians.

Beside each command stands what it cannot be faster than (the bare import of its libraries), beside `build`
the tools that read its output and a rival that writes one model's files. Runs are interleaved, so that a
busy moment of the machine falls on every row alike.

    python scripts/bench.py [--runs 15] [--format table|json] [--before COMMIT]

With `--before` the same rows of `validate` and `build` are measured for an earlier commit, in turn with today's.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
TOOLS = ROOT / ".tools"
HYBRID = ROOT / "examples" / "02-hybrid" / "llm.yaml"
RIVAL = "vllm-wizard==0.2.0"
SIZES = (10, 100, 1000)
ENGINE_ARGS = """\
version: 1
name: flags
gpus:
  gpu: {type: h100-sxm-80gb, count: 2}
models:
  chat:
    source: Qwen/Qwen3-8B
    engine: vllm
    engine_args: {max-logprobs: 5, enforce-eager: true, seed: 1}
  other:
    source: Qwen/Qwen3-8B
    engine: sglang
    engine_args: {watchdog-timeout: 600, enable-mixed-chunk: true}
routes:
  - {path: /chat, model: chat}
  - {path: /other, model: other}
"""

Rows = list[tuple[str, Sequence[str]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--format", choices=["table", "json"], default="table")
    parser.add_argument("--before", metavar="COMMIT", help="a commit to compare with")
    options = parser.parse_args()
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        rows = commands(work)
        if options.before:
            rows += before(stack.enter_context(checkout(options.before, work)), options.before)
        measured = measure(rows, options.runs) + growth(work) + with_engine(work)
    if options.format == "json":
        print(json.dumps(dict(measured), indent=1))
        return
    print("| what | median |\n|---|---:|")
    for what, seconds in measured:
        print(f"| {what} | {seconds * 1000:,.0f} ms |")


def commands(work: Path) -> Rows:
    """Return (what, argv); builds once first, so that the readers have something to read."""
    llmdeploy, out = str(BIN / "llmdeploy"), work / "out"
    run([llmdeploy, "build", str(HYBRID), "-o", str(out), "-q"])
    python = [sys.executable, "-c"]
    (work / "flags.yaml").write_text(ENGINE_ARGS)
    rows: Rows = [
        ("bare `python -c pass`", [*python, "pass"]),
        ("bare `import click`", [*python, "import click"]),
        ("`llmdeploy --help`", [llmdeploy, "--help"]),
        ("bare import of click, yaml, pydantic and a model", [*python, imports("click", "yaml")]),
        ("`llmdeploy validate` of the hybrid", [llmdeploy, "validate", str(HYBRID)]),
        (
            "`llmdeploy validate` of two models with engine_args",
            [llmdeploy, "validate", str(work / "flags.yaml")],
        ),
        ("`llmdeploy plan` of the hybrid", [llmdeploy, "plan", str(HYBRID)]),
        ("bare import of click, yaml, pydantic, jinja2", [*python, imports("click", "yaml", "jinja2")]),
        (
            "`llmdeploy build` of the hybrid to four targets",
            [llmdeploy, "build", str(HYBRID), "-o", str(work / "again"), "-q"],
        ),
    ]
    helm, compose = TOOLS / "bin" / "helm", TOOLS / "bin" / "docker-compose"
    rows.append(
        (
            "`helm template` of the emitted chart",
            [str(helm), "template", "hybrid", str(out / "helm" / "hybrid")],
        )
    )
    rows.append(
        (
            "`docker compose config -q` of the emitted file",
            [str(compose), "-f", str(out / "compose" / "compose.yaml"), "config", "-q"],
        )
    )
    rows.append(("vllm-wizard 0.2.0: one model's files", rival(work)))
    return rows


@contextmanager
def checkout(commit: str, work: Path) -> Iterator[Path]:
    """Check a commit out beside us, for as long as the block."""
    tree = work / "before"
    git = ["git", "-C", str(ROOT), "worktree"]
    run([*git, "add", "--detach", str(tree), commit])
    try:
        yield tree
    finally:
        run([*git, "remove", "--force", str(tree)])


def before(tree: Path, commit: str) -> Rows:
    """Return the commands of an earlier commit, run by the same Python and the same libraries."""
    main = f"import sys; sys.path.insert(0, {str(tree)!r}); from llmdeploy.cli import main; main()"
    python, hybrid = [sys.executable, "-c", main], str(tree / "examples" / "02-hybrid" / "llm.yaml")
    out = str(tree.parent / "out-before")
    return [
        (f"`llmdeploy validate` of the hybrid, before ({commit})", [*python, "validate", hybrid]),
        (f"`llmdeploy build` of the hybrid, before ({commit})", [*python, "build", hybrid, "-o", out, "-q"]),
    ]


def with_engine(work: Path) -> list[tuple[str, float]]:
    """Time what is put to the engines that `make oracles` installs; without them there is no row."""
    rows = []
    for engine, home in (("vllm", TOOLS / "vllm-0.33"), ("sglang", TOOLS / "sglang-0.5.23")):
        if not (home / ".complete").exists():
            continue
        spec = work / f"{engine}.yaml"
        spec.write_text(many(1).replace("engine: vllm", f"engine: {engine}"))
        argv = ["validate", "--with-engine", "--engine-bin", f"{engine}={home / 'bin'}", str(spec)]
        ((_, seconds),) = measure([("", [str(BIN / "llmdeploy"), *argv])], 3)
        rows.append((f"`llmdeploy validate --with-engine` of one model on {engine}", seconds))
    return rows


def imports(*modules: str) -> str:
    model = "from pydantic import BaseModel\nclass M(BaseModel):\n a: int = 1\n"
    return f"import {', '.join(modules)}\n{model}"


def rival(work: Path) -> Sequence[str]:
    """Install the rival into a venv of its own and return the command that writes one model's files."""
    venv = TOOLS / "bench"
    if not (venv / "bin" / "vllm-wizard").exists():
        run([sys.executable, "-m", "venv", str(venv)])
        run([str(venv / "bin" / "pip"), "install", "-q", RIVAL])
    model = work / "model"
    model.mkdir()
    config = {
        "model_type": "qwen3",
        "hidden_size": 4096,
        "intermediate_size": 12288,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 151936,
        "max_position_embeddings": 40960,
    }
    (model / "config.json").write_text(json.dumps(config))
    wizard = str(venv / "bin" / "vllm-wizard")
    files = "command,profile,compose,k8s"
    return [
        wizard,
        "generate",
        "-m",
        str(model),
        "--gpu",
        "H100 80GB",
        "-o",
        str(work / "wizard"),
        "--emit",
        files,
    ]


def measure(rows: Rows, runs: int) -> list[tuple[str, float]]:
    times: dict[str, list[float]] = {what: [] for what, _ in rows}
    for turn in range(runs + 1):
        for what, argv in rows:
            start = time.perf_counter()
            run(argv)
            if turn:  # the first turn warms the caches
                times[what].append(time.perf_counter() - start)
        print(f"bench: {turn}/{runs}", file=sys.stderr)
    return [(what, statistics.median(taken)) for what, taken in times.items()]


def growth(work: Path) -> list[tuple[str, float]]:
    rows = []
    for size in SIZES:
        spec = work / f"{size}.yaml"
        spec.write_text(many(size))
        taken = []
        for turn in range(3):
            out = work / f"many-{size}-{turn}"
            start = time.perf_counter()
            run([str(BIN / "llmdeploy"), "build", str(spec), "-o", str(out), "-q"])
            taken.append(time.perf_counter() - start)
        rows.append((f"`llmdeploy build` of {size:,} models to four targets", statistics.median(taken)))
        print(f"bench: {size} models", file=sys.stderr)
    return rows


def many(size: int) -> str:
    """Return a spec of `size` models on one pool, the engines in turn."""
    engines = ("vllm", "sglang")
    models = "".join(
        f"  m{i}:\n    source: Qwen/Qwen3-8B\n    engine: {engines[i % 2]}\n    gpus: 1\n    context: {4096 + i}\n"
        for i in range(size)
    )
    routes = "".join(f"  - {{path: /m{i}, model: m{i}}}\n" for i in range(size))
    return f"version: 1\nname: many\ngpus:\n  pool: {{type: h100-sxm-80gb, count: {size}}}\nmodels:\n{models}routes:\n{routes}"


def run(argv: Sequence[str]) -> None:
    done = subprocess.run(
        argv, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"}, check=False
    )
    if done.returncode:
        sys.exit(
            f"bench: {argv[0]} ended with {done.returncode}: {done.stderr.strip()[-800:]}\n(`make tools` installs helm and Docker Compose)"
        )


if __name__ == "__main__":
    main()

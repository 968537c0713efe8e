"""The smoke test of one model on the GPU, directly and through a route with a key, as `llmdeploy smoke-test` runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import compiled
import models
import yaml
from asked import Asked

_KEY = "LLMDEPLOY_GPU_KEY"
_ROOT = Path(__file__).resolve().parents[2]


def run(asked: Asked, file: Path) -> int:
    """Write OUT/smoke.json, and what it told on the way to OUT/smoke.log; return its exit status."""
    stated = yaml.safe_load(file.read_text(encoding="utf-8"))
    folder = asked.work / "smoke"
    words = models.tokenizer(asked.engine, asked.work / "tokenizer")
    models.write(folder / "model", models.config(stated["shape"], changed=stated.get("with")), words)
    spec = compiled.spec(stated["model"], asked.gpu, asked.version)
    spec |= {
        "secrets": {"key": {"env": _KEY}},
        "gateway": {"auth": "key"},
        "routes": [{"path": "/chat", "model": "m"}],
    }
    (folder / "llm.yaml").write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    argv = (
        *(sys.executable, "-m", "llmdeploy", "smoke-test", folder / "llm.yaml", "--runtime", "process"),
        *("--engine-bin", asked.engine, "--format", "json"),
    )
    path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    with (asked.out / "smoke.json").open("wb") as found, (asked.out / "smoke.log").open("wb") as told:
        done = subprocess.run(
            argv,
            stdout=found,
            stderr=told,
            env={**os.environ, "PYTHONPATH": path, _KEY: "a-key-of-the-test"},
            timeout=max(60, asked.left_s()),
        )
    print((asked.out / "smoke.log").read_text()[-1500:], (asked.out / "smoke.json").read_text(), flush=True)
    return done.returncode

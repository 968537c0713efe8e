"""A tiny model on a real vLLM: its files, and the llm.yaml that serves it on the CPU."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from support.tools import ROOT, engine_python

ENGINE = "vllm-0.32"
KEY_ENV = "TINY_API_KEY"
KEY = "tiny-key"


def engine_bin() -> Path:
    return engine_python(ENGINE).parent


def make_model(folder: Path) -> Path:
    subprocess.run(
        [engine_python(ENGINE), ROOT / "scripts/make_tiny_model.py", folder],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return folder


def spec(**model: Any) -> dict[str, Any]:
    """llm.yaml beside a folder `model`. The arguments make vLLM start without a warm-up, in one process."""
    tiny = {
        "source": "./model",
        "engine": "vllm",
        "engine_version": "0.32.0",
        "dtype": "bfloat16",
        "context": 256,
        "concurrency": 4,
        "env": {"VLLM_ENABLE_V1_MULTIPROCESSING": 0},
        "engine_args": {
            "enforce-eager": True,
            # Random weights would fill the answer with the blanks that JSON allows.
            "structured-outputs-config": {"backend": "xgrammar", "disable_any_whitespace": True},
        },
    }
    return {
        "version": 1,
        "name": "tiny",
        "gpus": {"cpu": {"type": "cpu", "memory": "1GiB"}},
        "secrets": {"api-key": {"env": KEY_ENV}},
        "models": {"tiny": {**tiny, **model}},
        "routes": [{"path": "/tiny", "model": "tiny"}],
        "gateway": {"auth": "api-key"},
        "targets": {"docker": {}},
    }

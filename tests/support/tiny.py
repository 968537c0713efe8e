"""A tiny model on a real vLLM or SGLang: its files, and the llm.yaml that serves it on the CPU."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from support.tools import ROOT, engine_python

ENGINE = "vllm-0.32"
SGLANG = "sglang-0.5.23"
KEY_ENV = "TINY_API_KEY"
KEY = "tiny-key"


def engine_bin(engine: str = ENGINE) -> Path:
    return engine_python(engine).parent


def make_model(folder: Path) -> Path:
    subprocess.run(
        [engine_python(ENGINE), ROOT / "scripts/make_tiny_model.py", folder],
        check=True,
        capture_output=True,
        timeout=120,
    )
    return folder


def make_shapes(folder: Path, *shapes: str) -> Path:
    """Make a model of each shape, in a folder of its name."""
    asked = [word for shape in shapes for word in ("--shape", shape)]
    program = ROOT / "scripts/make_tiny_model.py"
    subprocess.run(
        [engine_python(ENGINE), program, folder, *asked], check=True, capture_output=True, timeout=300
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
        "structured_output": {"backend": "xgrammar"},
        "engine_args": {
            "enforce-eager": True,
            # Random weights would fill the answer with the blanks that JSON allows.
            "structured-outputs-config.disable_any_whitespace": True,
        },
    }
    if model.get("task") == "embed":
        # Nothing is generated.
        del tiny["structured_output"], tiny["engine_args"]["structured-outputs-config.disable_any_whitespace"]
    return {
        "version": 1,
        "name": "tiny",
        "gpus": {"cpu": {"type": "cpu", "memory": "4GiB"}},
        "secrets": {"api-key": {"env": KEY_ENV}},
        "models": {"tiny": {**tiny, **model}},
        "routes": [{"path": "/tiny", "model": "tiny"}],
        "gateway": {"auth": "api-key"},
        "targets": {"docker": {}},
    }


def sglang(**model: Any) -> dict[str, Any]:
    """The same on SGLang, which would take most of this machine's memory for its KV cache."""
    tiny = {
        "engine": "sglang",
        "engine_version": "0.5.23",
        # Penalties are compiled when first asked for, which takes a compiler, and the real Triton.
        "env": {"TORCHDYNAMO_DISABLE": 1},
        "engine_args": {
            "max-total-tokens": 2048,
            # As above; its grammars are xgrammar's anyway.
            "constrained-json-disable-any-whitespace": True,
        },
    }
    made = spec(**{**tiny, **model})
    made["gpus"]["cpu"]["memory"] = "8GiB"  # of less it would compute no share of its own
    return made

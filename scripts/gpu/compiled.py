"""What llmdeploy compiles for one model on one card: an llm.yaml, and the service that comes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from llmdeploy.cli.common import compile_file
from llmdeploy.plan.model import Service


def service(model: dict[str, Any], folder: Path, gpu: str, version: str) -> Service:
    """Write FOLDER/llm.yaml around `model`, whose files are in FOLDER/model, and compile it.

    A plan that does not fit is one as well; where there is none, this ends the program with what is wrong.
    """
    file = folder / "llm.yaml"
    file.write_text(yaml.safe_dump(spec(model, gpu, version), sort_keys=False), encoding="utf-8")
    result = compile_file(str(file), ["docker"], folder / "out", emit=False)
    if result.plan is None:
        raise SystemExit(f"{file}: {[str(each.message) for each in result.diagnostics]}")
    return result.plan.services[0]


def spec(model: dict[str, Any], gpu: str, version: str) -> dict[str, Any]:
    """Return an llm.yaml with one model, `m`, of dummy weights on one card."""
    stated = {
        "source": "./model",
        "engine": "vllm",
        "engine_version": version,
        "dtype": "bfloat16",
        **model,
        "engine_args": {"load-format": "dummy", **model.get("engine_args", {})},
    }
    pool = {"type": "cpu", "memory": "6GiB"} if gpu == "cpu" else {"type": gpu, "count": 1}
    return {
        "version": 1,
        "name": "gpu",
        "gpus": {"gpu": pool},
        "models": {"m": stated},
        "targets": {"docker": {}},
    }

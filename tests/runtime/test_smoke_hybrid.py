"""The hybrid: vLLM, TGI and SGLang behind one nginx, each at its path. TGI is a stand-in, the others are real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support import tgi, tiny

pytestmark = [pytest.mark.boots, pytest.mark.needs("nginx"), pytest.mark.xdist_group("vllm-serving")]

ROUTES = {"/batch": "batch", "/structured": "structured", "/chat": "chat"}
OPENAI = {"name", "chat", "stream", "schema", "key"}


def hybrid() -> dict[str, Any]:
    spec = tiny.spec()
    structured = {"source": "./tgi", "engine": "tgi", "engine_version": "3.3.7", "context": 256}
    models = {
        "batch": spec["models"]["tiny"],
        "structured": structured,
        "chat": tiny.sglang()["models"]["tiny"],
    }
    routes = [{"path": path, "model": model} for path, model in ROUTES.items()]
    memory = {"cpu": {"type": "cpu", "memory": "24GiB"}}  # of a third of less SGLang would compute no share
    return {**spec, "name": "hybrid", "gpus": memory, "models": models, "routes": routes}


def test_every_model_answers_directly_and_through_its_route(tmp_path: Path) -> None:
    tiny.make_model(tmp_path / "model")
    tgi.model(tmp_path / "tgi")
    launcher = tmp_path / "bin"
    launcher.mkdir()
    tgi.program(launcher)
    (tmp_path / "llm.yaml").write_text(yaml.safe_dump(hybrid()))
    programs = {"vllm": tiny.engine_bin(), "tgi": launcher, "sglang": tiny.engine_bin(tiny.SGLANG)}
    done = subprocess.run(
        [
            *(sys.executable, "-m", "llmdeploy", "smoke-test", tmp_path / "llm.yaml", "--format", "json"),
            *("--runtime", "process", "--timeout", "300"),
            *(word for engine, folder in programs.items() for word in ("--engine-bin", f"{engine}={folder}")),
        ],
        env={**os.environ, tiny.KEY_ENV: tiny.KEY},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    asked: dict[tuple[str, str], set[str]] = {}
    for check in json.loads(done.stdout)["checks"]:
        asked.setdefault((check["model"], check["via"]), set()).add(check["check"])
    native = {"batch": set[str](), "structured": {"client", "native"}, "chat": {"native"}}
    own = {"batch": {"prefix", "drain"}, "structured": {"drain"}, "chat": {"drain"}}
    for path, model in ROUTES.items():
        assert asked[model, "direct"] == {"live", "ready", *OPENAI, *native[model], *own[model]}
        assert asked[model, path] == {"closed", *OPENAI, *native[model]}

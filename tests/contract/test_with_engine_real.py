"""`llmdeploy validate --with-engine`, from llm.yaml to the real engine's words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from support import samples
from support.tools import engine_python

from llmdeploy.cli import cli

ENGINES = [
    pytest.param("vllm", "0.32.0", "vllm-0.32", marks=pytest.mark.xdist_group("vllm-0.32")),
    pytest.param("vllm", "0.33.0", "vllm-0.33", marks=pytest.mark.xdist_group("vllm-0.33")),
    pytest.param("sglang", "0.5.23", "sglang-0.5.23", marks=pytest.mark.xdist_group("sglang-0.5.23")),
]
DENSE = samples.CHECKPOINTS["org/dense"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asked(
    engine: str, version: str, name: str, models: dict[str, Any]
) -> dict[str, tuple[str, str, list[Any]]]:
    """Put models (their part of llm.yaml, and of config.json) to an engine in one go: code, words and place."""
    stated = {}
    for model, (says, config) in models.items():
        Path(model).mkdir()
        Path(model, "config.json").write_text(json.dumps({**DENSE, **config}))
        stated[model] = {"source": f"./{model}", "engine": engine, "engine_version": version, **says}
    spec = {
        "version": 1,
        "name": "demo",
        "gpus": {"gpu": {"type": "h100-sxm-80gb", "count": 8}},
        "models": stated,
        "routes": [{"path": f"/{model}", "model": model} for model in models],
        "targets": {"docker": {}},
    }
    Path("llm.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    place = engine_python(name).parent
    argv = ["validate", "--with-engine", "--format", "json", "--engine-bin", f"{engine}={place}"]
    result = CliRunner().invoke(cli, argv)
    found = json.loads(result.stdout)["diagnostics"]
    mine = [each for each in found if each["code"] in ("LD340", "LD341", "LD342", "LD524")]
    assert len(mine) == len(models), result.output
    assert result.exit_code == (1 if {"LD340", "LD341"} & {each["code"] for each in mine} else 0)
    return {each["path"][1]: (each["code"], each["message"], each["path"][2:]) for each in mine}


@pytest.mark.parametrize(("engine", "version", "name"), ENGINES)
def test_what_is_right_is_taken(engine: str, version: str, name: str) -> None:
    found = asked(engine, version, name, {"chat": ({"gpus": 2, "context": 8192, "concurrency": 16}, {})})
    code, words, _ = found["chat"]
    assert code == "LD524" and "its command line, and the configuration" in words


VLLM = [each for each in ENGINES if each.values[0] == "vllm"]


@pytest.mark.parametrize(("engine", "version", "name"), VLLM)
def test_vllm_says_what_only_it_can_know(engine: str, version: str, name: str) -> None:
    """Nothing of this can be seen in a list of flags, nor in the shape of a model."""
    models = {
        "fields": ({"engine_args": {"compilation-config": {"level": 3}}}, {}),
        "needs": ({"engine_args": {"enable-eplb": True}}, {}),
        "unknown": ({}, {"architectures": ["LlamaForCausaLM"]}),
        "plain": ({}, {}),
    }
    found = asked(engine, version, name, models)
    assert found["fields"][0] == "LD340"
    assert "CompilationConfig level Unexpected keyword argument" in found["fields"][1]
    assert found["fields"][2] == ["engine_args", "compilation-config"]
    assert found["needs"][:1] == ("LD341",) and "must be True to use EPLB" in found["needs"][1]
    assert found["unknown"][0] == "LD341" and "['LlamaForCausaLM'] are not supported" in found["unknown"][1]
    assert found["plain"][0] == "LD524"


@pytest.mark.xdist_group("sglang-0.5.23")
def test_sglang_says_what_only_it_can_know() -> None:
    models = {
        # The backend takes pages of 64, whatever is stated.
        "page": ({"batch_tokens": 100, "engine_args": {"attention-backend": "flashmla"}}, {}),
        "plain": ({}, {}),
    }
    found = asked("sglang", "0.5.23", "sglang-0.5.23", models)
    assert found["page"][0] == "LD341"
    assert "chunked_prefill_size must be divisible by page_size" in found["page"][1]
    assert found["page"][2] == ["batch_tokens"]
    assert found["plain"][0] == "LD524"


@pytest.mark.xdist_group("vllm-0.33")
def test_the_installed_release_is_another(home: Path) -> None:
    found = asked("vllm", "0.32.0", "vllm-0.33", {"chat": ({}, {})})
    assert found["chat"][0] == "LD342" and "vLLM 0.33.0 is installed here, and not 0.32.0" in found["chat"][1]

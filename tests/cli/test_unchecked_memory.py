"""What the last line says of models whose memory no rule has looked at; it is no finding, and fails nothing."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from llmdeploy.cli import cli

SPEC = """\
version: 1
name: demo
gpus: {gpu: {type: h100-sxm-80gb, count: 2}}
models:
  known: {source: Qwen/Qwen3-8B, context: 8192, gpus: 1}
  chat: {source: acme/unheard-of-7B, context: 8192, gpus: 1}
routes: [{path: /chat, model: chat}, {path: /known, model: known}]
targets: {docker: {}}
"""
SHAPE = (
    "{model_type: llama, hidden_size: 4096, intermediate_size: 14336, num_hidden_layers: 32, "
    "num_attention_heads: 32, num_key_value_heads: 8, vocab_size: 128256}"
)


def run(command: str, text: str, directory: Path, *more: str) -> Result:
    (directory / "llm.yaml").write_text(text)
    return CliRunner().invoke(cli, [command, str(directory / "llm.yaml"), *more])


def test_validate_names_the_models_and_the_remedy_and_is_fine(tmp_path: Path) -> None:
    result = run("validate", SPEC, tmp_path, "--strict")
    assert result.exit_code == 0
    assert result.output.splitlines()[-1].endswith(
        ": fine; memory was not checked for `chat`: read it with `--online`, or state its shape under `architecture:`"
    )


def test_json_has_the_models_and_why(tmp_path: Path) -> None:
    (found,) = json.loads(run("validate", SPEC, tmp_path, "--format", "json").output)["memory_not_checked"]
    assert found["model"] == "chat"
    assert "no config.json of `acme/unheard-of-7B` is known" in found["reason"]


def test_build_says_so_as_well(tmp_path: Path) -> None:
    result = run("build", SPEC, tmp_path, "-o", str(tmp_path / "out"))
    assert result.exit_code == 0
    assert "memory was not checked for `chat`" in result.stderr


def test_a_directory_is_not_sent_to_the_hub(tmp_path: Path) -> None:
    result = run("validate", SPEC.replace("acme/unheard-of-7B", "./mine"), tmp_path)
    assert "memory was not checked for `chat`: state its shape" in result.output
    found = json.loads(
        run("validate", (tmp_path / "llm.yaml").read_text(), tmp_path, "--format", "json").output
    )
    (why,) = [each["reason"] for each in found["memory_not_checked"]]
    assert "see that it is there" in why and "--online" not in why


def test_a_model_type_is_enough_to_know_the_architecture(tmp_path: Path) -> None:
    stated = SPEC.replace("8192, gpus: 1}\nroutes", f"8192, gpus: 1, architecture: {SHAPE}}}\nroutes")
    assert run("validate", stated, tmp_path).output.endswith(": fine\n")


def test_a_model_type_that_tells_of_none_says_what_to_add(tmp_path: Path) -> None:
    shape = SHAPE.replace("model_type: llama", "model_type: llama9")
    stated = SPEC.replace("8192, gpus: 1}\nroutes", f"8192, gpus: 1, architecture: {shape}}}\nroutes")
    result = run("validate", stated, tmp_path, "--format", "json")
    (found,) = json.loads(result.output)["memory_not_checked"]
    assert "like `architectures: [LlamaForCausalLM]`" in found["reason"]


def test_a_source_that_is_a_file_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models/model.safetensors").write_text("")
    result = run("validate", SPEC.replace("acme/unheard-of-7B", "./models/model.safetensors"), tmp_path)
    assert "`./models/model.safetensors` is a file, and a source is the directory of a model" in result.output
    assert "name the directory that holds it, `./models`" in result.output

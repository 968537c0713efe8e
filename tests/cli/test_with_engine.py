"""`validate --with-engine` with engines that answer, refuse, hang, die or are not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from support.fake_engine import HEARD, answering, lay
from support.weights import safetensors

from llmdeploy.cli import cli
from llmdeploy.runtime.oracle import judge

SPEC: dict[str, Any] = {
    "version": 1,
    "name": "demo",
    "gpus": {"gpu": {"type": "l40s", "count": 2}},
    "models": {
        "chat": {"source": "./model", "engine": "vllm", "engine_version": "0.33.0", "context": 4096},
    },
    "routes": [{"path": "/chat", "model": "chat"}],
    "targets": {"docker": {}},
}
LLAMA = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_attention_heads": 32}


@pytest.fixture(autouse=True)
def no_engine_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    Path("model").mkdir()
    Path("model/config.json").write_text(json.dumps(LLAMA))
    Path("model/pytorch_model.bin").touch()
    return tmp_path


def validate(spec: dict[str, Any], *argv: str) -> Result:
    Path("llm.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))
    return CliRunner().invoke(cli, ["validate", "--with-engine", *argv])


def found(spec: dict[str, Any], *argv: str) -> list[dict[str, Any]]:
    """The findings that come from asking an engine."""
    result = validate(spec, "--format", "json", *argv)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    asked = ("LD340", "LD341", "LD342", "LD524")
    return [each for each in json.loads(result.stdout)["diagnostics"] if each["code"] in asked]


def model(**changes: Any) -> dict[str, Any]:
    return {**SPEC, "models": {"chat": {**SPEC["models"]["chat"], **changes}}}


def bin_of(folder: Path) -> tuple[str, str]:
    return "--engine-bin", f"vllm={folder}"


def test_what_is_taken_is_a_note_of_what_was_asked(home: Path) -> None:
    (note,) = found(SPEC, *bin_of(answering(home / "bin", "0.33.0", "stage=None")))
    assert (note["code"], note["path"]) == ("LD524", ["models", "chat", "engine"])
    assert "takes `chat`: its command line, and the configuration" in note["message"]


def test_the_engine_sees_the_command_line_the_gpu_and_a_folder_with_config_json_alone(home: Path) -> None:
    Path("model/weights.safetensors").write_bytes(safetensors({}))
    spec = model(gpus=2, env={"VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1", "NCCL_DEBUG": "WARN"})
    folder = lay(
        home / "bin",
        "say(version='0.33.0')",
        "say(ready=True)",
        "asked = next(questions)",
        "say(stage='arguments', error=' '.join(os.listdir(asked['config_dir'])))",
    )
    (error,) = found(spec, *bin_of(folder))
    assert error["message"].endswith('refuses the command line of `chat`: "config.json"')
    asked = json.loads((folder / HEARD).read_text())
    assert asked["argv"][0] == "/model" and "--tensor-parallel-size" in asked["argv"]
    assert (asked["gpus"], asked["capability"]) == (2, [8, 9])
    assert asked["env"]["VLLM_ALLOW_LONG_MAX_MODEL_LEN"] == "1" and "NCCL_DEBUG" not in asked["env"]


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ("argument --max-model-len: invalid value", ["context"]),
        ("User-specified max_model_len (4096) is greater than the derived", ["context"]),
        ("tensor parallel size (2) must divide", ["parallel", "tensor"]),
        ("max_logprobs: Input should be greater than or equal to -1", ["engine_args", "max_logprobs"]),
        ("a layer has no kernel for this", []),
    ],
)
def test_an_error_stands_where_llm_yaml_says_what_the_engine_names(
    home: Path, said: str, path: list[str]
) -> None:
    spec = model(gpus=2, parallel={"tensor": 2}, engine_args={"max_logprobs": 7})
    answer = f"stage='configuration', error={said!r}"
    (error,) = found(spec, *bin_of(answering(home / "bin", "0.33.0", answer)))
    assert (error["code"], error["path"]) == ("LD341", ["models", "chat", *path])
    assert said in error["message"]
    assert ".".join(path) in error["help"]


def test_an_error_fails_and_shows_the_line(home: Path) -> None:
    answer = "stage='arguments', error='argument --max-model-len: no'"
    result = validate(SPEC, *bin_of(answering(home / "bin", "0.33.0", answer)))
    assert result.exit_code == 1
    assert "context: 4096" in result.output and "1 error" in result.output


def test_long_words_are_cut_and_credentials_hidden(home: Path) -> None:
    token = "hf_" + "a1B2" * 8
    answer = f"stage='arguments', error={token!r} + ' no\\n' * 400"
    (error,) = found(SPEC, *bin_of(answering(home / "bin", "0.33.0", answer)))
    assert token not in json.dumps(error) and "[REDACTED] no no" in error["message"]
    assert len(error["message"]) < 400 and error["message"].endswith('…"')


def test_the_temporary_folder_is_named_as_the_model(home: Path) -> None:
    folder = lay(
        home / "bin",
        "say(version='0.33.0')",
        "say(ready=True)",
        "say(stage='configuration', error='cannot read ' + next(questions)['config_dir'])",
    )
    (error,) = found(SPEC, *bin_of(folder))
    assert error["message"].endswith('"cannot read ./model"')


HANGS = "time.sleep(60)"
BROKEN = {
    "hangs at once": ((HANGS,), "did not answer in 0.5 s"),
    "hangs over its import": (("say(version='0.33.0')", HANGS), "did not answer in 0.5 s"),
    "hangs over the question": (
        ("say(version='0.33.0')", "say(ready=True)", "next(questions)", HANGS),
        "did not answer in 0.5 s",
    ),
    "cannot be imported": (
        ("say(version='0.33.0')", "say(ready=False, error='ImportError: libcuda.so')"),
        "it cannot be imported: ImportError: libcuda.so",
    ),
    "dies": (("raise RuntimeError('no such file')",), "ended with status 1: RuntimeError: no such file"),
    "is killed": (("say(version='0.33.0')", "os.kill(os.getpid(), signal.SIGKILL)"), "was ended by SIGKILL"),
    "dies over the question": (
        (
            "say(version='0.33.0')",
            "say(ready=True)",
            "next(questions)",
            "say(stage='died', error='status -11')",
        ),
        "died over it: status -11",
    ),
    "prints garbage": (
        ("print('Welcome!', flush=True)", "list(questions)"),
        "said something else than an answer",
    ),
    "prints bytes": (("os.write(1, bytes(range(128, 256)) + b'\\n')",), "said something else than an answer"),
    "prints other JSON": (("print('[1]', flush=True)",), "said something else than an answer"),
    "leaves out what is asked": (("say(nothing=1)",), "gave an answer without `version`"),
    "prints without end": (
        ("say(version='0.33.0')", "while True: os.write(1, b'x' * 65536)"),
        "did not end its line",
    ),
    "answers with another stage": (
        ("say(version='0.33.0')", "say(ready=True)", "next(questions)", "say(stage='lunch', error='x')"),
        "died over it: x",
    ),
}


@pytest.mark.parametrize(("body", "reason"), BROKEN.values(), ids=BROKEN)
def test_an_engine_that_gives_no_answer_is_a_warning_with_the_reason(
    home: Path, monkeypatch: pytest.MonkeyPatch, body: tuple[str, ...], reason: str
) -> None:
    for limit in ("GREETING_S", "IMPORT_S", "ANSWER_S"):
        monkeypatch.setattr(judge, limit, 0.5 if HANGS in body else 20)
    (warning,) = found(SPEC, *bin_of(lay(home / "bin", *body)))
    assert (warning["code"], warning["severity"]) == ("LD342", "warning")
    assert reason in warning["message"] and "so `chat` could not be put to it" in warning["message"]
    assert "import vllm" in warning["help"]


def is_gone(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_nothing_that_the_engine_started_outlives_the_question(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "GREETING_S", 1)
    child = home / "child"
    body = ("child = os.fork()", f"if not child: open({str(child)!r}, 'w').write(str(os.getpid()))", HANGS)
    found(SPEC, *bin_of(lay(home / "bin", *body)))
    # A process that was killed runs on for as long as the machine takes to notice.
    assert any(is_gone(child.read_text()) or time.sleep(0.1) for _ in range(50))


def test_a_python_without_the_engine_is_a_warning(home: Path) -> None:
    (warning,) = found(SPEC, *bin_of(lay(home / "bin", "say(version=None)")))
    assert "has no vLLM, so `chat` could not be put to it" in warning["message"]
    assert "--engine-bin vllm=DIR" in warning["help"]


def test_a_directory_without_a_python_is_a_warning(home: Path) -> None:
    (home / "bin").mkdir()
    (warning,) = found(SPEC, *bin_of(home / "bin"))
    assert "vLLM is not installed here" in warning["message"]


def test_another_release_is_not_asked(home: Path) -> None:
    (warning,) = found(SPEC, *bin_of(lay(home / "bin", "say(version='0.32.0')", "list(questions)")))
    assert "vLLM 0.32.0 is installed here, and not 0.33.0" in warning["message"]
    assert not (home / "bin" / HEARD).exists()


def test_a_release_with_the_same_command_line_is_asked_with_a_warning(home: Path) -> None:
    both = found(SPEC, *bin_of(answering(home / "bin", "0.33.2", "stage=None")))
    assert {each["code"] for each in both} == {"LD342", "LD524"}
    assert "vLLM 0.33.2 was asked, and not 0.33.0" in next(e for e in both if e["code"] == "LD342")["message"]


@pytest.mark.parametrize("version", ["0.33.0+cpu", "0.33.0"])
def test_a_build_of_the_same_release_is_asked_without_a_word(home: Path, version: str) -> None:
    (note,) = found(SPEC, *bin_of(answering(home / "bin", version, "stage=None")))
    assert note["code"] == "LD524"


def test_sglang_keeps_its_command_line_for_one_release_alone(home: Path) -> None:
    spec = model(engine="sglang", engine_version="0.5.23")
    (warning,) = found(spec, "--engine-bin", str(lay(home / "bin", "say(version='0.5.22')")))
    assert "SGLang 0.5.22 is installed here, and not 0.5.23" in warning["message"]


def test_the_warning_fails_with_strict_and_can_be_waived(home: Path) -> None:
    assert validate(SPEC).exit_code == 0
    assert validate(SPEC, "--strict").exit_code == 1
    text = Path("llm.yaml").read_text().replace("engine: vllm", "engine: vllm # llmdeploy: allow LD342")
    Path("llm.yaml").write_text(text)
    for argv in (["--with-engine", "--strict"], ["--strict"]):
        result = CliRunner().invoke(cli, ["validate", *argv])
        assert result.exit_code == 0, result.output
        assert "LD342" not in result.stdout.replace("allow LD342", ""), (
            "waived, and not idle without the engine"
        )


def test_two_models_of_one_engine_are_one_warning(home: Path) -> None:
    models = {name: {**SPEC["models"]["chat"], "gpus": 1} for name in ("one", "two")}
    routes = [{"path": f"/{name}", "model": name} for name in models]
    (warning,) = found({**SPEC, "models": models, "routes": routes})
    assert "so `one`, `two` could not be put to it" in warning["message"]


def test_where_an_engine_dies_the_models_that_are_left_are_named(home: Path) -> None:
    models = {name: {**SPEC["models"]["chat"], "gpus": 1} for name in ("one", "two")}
    routes = [{"path": f"/{name}", "model": name} for name in models]
    body = (
        "say(version='0.33.0')",
        "say(ready=True)",
        "next(questions)",
        "say(stage=None)",
        "next(questions)",
    )
    both = found({**SPEC, "models": models, "routes": routes}, *bin_of(lay(home / "bin", *body)))
    assert [(each["code"], each["path"][1]) for each in both] == [("LD524", "one"), ("LD342", "two")]
    assert "so `two` could not be put to it" in both[1]["message"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"source": "./nowhere"}, "`./nowhere` has no config.json on this machine"),
        ({"source": "~/model"}, "`~/model` has no config.json on this machine"),
        ({"source": "org/model"}, "the Hub cache of this machine has no config.json of it"),
        (
            {"speculative": {"method": "draft", "tokens": 2, "model": "org/small"}},
            "that of its drafter is needed",
        ),
    ],
)
def test_without_config_json_the_command_line_alone_is_asked(
    home: Path, changes: dict[str, Any], why: str
) -> None:
    folder = answering(home / "bin", "0.33.0", "stage=None")
    (note,) = found(model(**changes), *bin_of(folder))
    assert note["code"] == "LD524" and f"its configuration was not checked: {why}" in note["message"]
    assert json.loads((folder / HEARD).read_text())["config_dir"] is None


@pytest.mark.parametrize(
    ("config", "why"),
    [("{", "`config.json` is not JSON"), ("[]", "`config.json` is not a JSON object")],
)
def test_a_config_json_that_is_none_is_said(home: Path, config: str, why: str) -> None:
    Path("model/config.json").write_text(config)
    (note,) = found(SPEC, *bin_of(answering(home / "bin", "0.33.0", "stage=None")))
    assert why in note["message"]


def test_the_code_of_a_repository_is_not_run(home: Path) -> None:
    Path("model/config.json").write_text(json.dumps({**LLAMA, "auto_map": {"AutoConfig": "mine.Config"}}))
    (note,) = found(model(trust_remote_code=True), *bin_of(answering(home / "bin", "0.33.0", "stage=None")))
    assert "code of the model's own repository, which is not run here" in note["message"]


@pytest.mark.parametrize("revision", [None, "main", "0123456789abcdef0123456789abcdef01234567"])
def test_the_hub_cache_is_looked_up(home: Path, revision: str | None) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    cached = home / "hub" / "models--org--model"
    (cached / "snapshots" / commit).mkdir(parents=True)
    (cached / "snapshots" / commit / "config.json").write_text(json.dumps(LLAMA))
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    spec = model(source="org/model", **({"revision": revision} if revision else {}))
    (note,) = found(spec, *bin_of(answering(home / "bin", "0.33.0", "stage=None")))
    assert "and the configuration" in note["message"]


@pytest.mark.parametrize(
    ("pool", "why"),
    [
        ({"type": "mi300x", "count": 2}, "is amd, and only NVIDIA GPUs can be stood in for"),
        ({"type": "cpu", "memory": "64GiB"}, "is cpu, and only NVIDIA GPUs can be stood in for"),
    ],
)
def test_hardware_that_cannot_be_stood_in_for_is_said(home: Path, pool: dict[str, Any], why: str) -> None:
    spec = {**SPEC, "gpus": {"gpu": pool}}
    (note,) = found(spec, *bin_of(answering(home / "bin", "0.33.0", "stage=None")))
    assert why in note["message"]


def test_an_engine_without_a_parser_in_python_is_said(home: Path) -> None:
    (note,) = found(model(engine="tgi", engine_version="3.3.7"))
    assert "cannot be asked about `chat`: its parser is no Python package" in note["message"]


def test_a_file_with_errors_is_not_put_to_an_engine(home: Path) -> None:
    folder = answering(home / "bin", "0.33.0", "stage=None")
    result = validate(model(gpus=9), *bin_of(folder))
    assert result.exit_code == 1
    assert "the engines were not asked: first mend the errors" in result.stderr
    assert not (folder / HEARD).exists()


def test_an_engine_is_found_by_the_first_line_of_its_program(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = answering(home / "env", "0.33.0", "stage=None") / "python3"
    (home / "path").mkdir()
    (home / "path" / "vllm").write_text(f"#!{python}\n")
    (home / "path" / "vllm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{home / 'path'}{os.pathsep}/usr/bin:/bin")
    (note,) = found(SPEC)
    assert note["code"] == "LD524"


def test_an_engine_is_found_behind_the_link_that_a_tool_lays(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(home / "env", "0.33.0", "stage=None")
    (home / "env" / "vllm").write_text("#!/bin/sh\n")
    (home / "env" / "vllm").chmod(0o755)
    (home / "path").mkdir()
    (home / "path" / "vllm").symlink_to(home / "env" / "vllm")
    monkeypatch.setenv("PATH", f"{home / 'path'}{os.pathsep}/usr/bin:/bin")
    (note,) = found(SPEC)
    assert note["code"] == "LD524"


def test_a_terminal_is_told_who_is_asked(home: Path) -> None:
    Path("llm.yaml").write_text(yaml.safe_dump(SPEC))
    argv = [sys.executable, "-m", "llmdeploy", "validate", "--with-engine"]
    argv += bin_of(answering(home / "bin", "0.33.0", "stage=None"))
    ours, theirs = os.openpty()
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=theirs, check=True)
    os.close(theirs)
    assert b"asking vLLM 0.33.0" in os.read(ours, 1 << 16)
    quiet = subprocess.run(argv, capture_output=True, check=True)
    assert b"asking" not in quiet.stderr


def test_engine_bin_needs_the_question(home: Path) -> None:
    result = CliRunner().invoke(cli, ["validate", "--engine-bin", str(home)])
    assert result.exit_code == 2 and "--engine-bin is for --with-engine" in result.output

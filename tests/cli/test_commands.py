"""The commands as a person or a program meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llmdeploy.cli import cli

HYBRID = Path(__file__).resolve().parents[2] / "examples" / "02-hybrid" / "llm.yaml"
AUTO = HYBRID.parents[1] / "09-auto" / "llm.yaml"

BROKEN = """\
version: 1
name: x
gpus: {gpu: {type: l40s, count: 3}}
models:
  chat: {source: Qwen/Qwen3-8B, gpus: 3}
routes: [{path: /chat, model: chat}]
"""
WARNS = BROKEN.replace("gpus: 3", "gpus: 1").replace(
    "model: chat}]", "model: chat}]\nsecrets: {idle: {env: IDLE}}"
)


def invoke(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(cli, list(arguments), input=input)


def test_validate_exits_with_one_on_errors_and_shows_the_line() -> None:
    result = invoke("validate", "-", input=BROKEN)
    assert result.exit_code == 1
    assert "error[LD302]" in result.stdout
    assert "<stdin>:5:" in result.stdout


def test_check_is_another_name_of_validate() -> None:
    assert invoke("check", "-", input=BROKEN).exit_code == 1


def test_validate_as_json_has_the_published_shape() -> None:
    findings = json.loads(invoke("validate", "-", "--format", "json", input=BROKEN).stdout)["diagnostics"]
    assert [finding["code"] for finding in findings] == ["LD302"]
    assert findings[0]["path"] == ["models", "chat", "gpus"]
    assert {"code", "severity", "message", "path", "file", "line", "column", "help"} <= findings[0].keys()


def test_validate_as_json_of_a_clean_file_is_an_empty_list() -> None:
    assert json.loads(invoke("validate", str(HYBRID), "--format", "json").stdout) == {"diagnostics": []}


@pytest.mark.parametrize("command", ["validate", "plan", "build"])
def test_a_missing_file_is_a_finding_with_its_remedy(command: str, tmp_path: Path) -> None:
    result = invoke(command, str(tmp_path / "none.yaml"))
    assert result.exit_code == 1
    assert "llmdeploy init" in result.output
    assert "Traceback" not in result.output


def test_warnings_fail_only_with_strict() -> None:
    assert invoke("validate", "-", input=WARNS).exit_code == 0
    assert invoke("validate", "-", "--strict", input=WARNS).exit_code == 1


def test_an_unknown_target_is_a_usage_error() -> None:
    result = invoke("build", "-t", "nomad", str(HYBRID))
    assert result.exit_code == 2
    assert "docker, compose, kubernetes, helm" in result.output


def test_build_writes_nothing_where_there_is_an_error(tmp_path: Path) -> None:
    result = invoke("build", "-", "-o", str(tmp_path / "out"), input=BROKEN)
    assert result.exit_code == 1
    assert not (tmp_path / "out").exists()


def test_build_of_one_target_leaves_the_others_alone(tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    assert invoke("build", str(HYBRID), "-o", out).exit_code == 0
    before = (tmp_path / "out" / "compose" / "compose.yaml").read_bytes()
    assert invoke("build", str(HYBRID), "-o", out, "-t", "docker").exit_code == 0
    assert (tmp_path / "out" / "compose" / "compose.yaml").read_bytes() == before


def test_plan_as_json_has_the_published_shape() -> None:
    plan = json.loads(invoke("plan", str(HYBRID), "--format", "json").stdout)
    assert plan["name"] == "hybrid"
    assert [service["name"] for service in plan["services"]] == ["batch", "structured", "chat"]
    batch = plan["services"][0]
    assert batch["argv"][:3] == ["vllm", "serve", "meta-llama/Llama-3.3-70B-Instruct"]
    assert batch["gpus"] == {
        "pool": "h100",
        "count": 4,
        "resource": "nvidia.com/gpu",
        "devices": ["0", "1", "2", "3"],
    }
    assert {"setting", "value", "because"} == batch["why"][0].keys()
    assert plan["diagnostics"] == []


def test_plan_for_people_says_what_runs_and_where_it_is_reached() -> None:
    text = invoke("plan", str(HYBRID)).stdout
    assert "vllm serve meta-llama/Llama-3.3-70B-Instruct" in text
    assert "http://127.0.0.1:8080/batch → batch" in text


@pytest.mark.parametrize("command", ["validate", "plan", "build", "apply", "down", "smoke-test"])
@pytest.mark.parametrize(
    ("option", "policy"), [((), "maintained"), (("--policy", "course"), "course")], ids=["default", "course"]
)
def test_a_policy_reaches_the_compiler_whatever_command_it_is_given_to(
    command: str, option: tuple[str, ...], policy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compile(*arguments: object, **options: object) -> None:
        raise LookupError(options["policy"])

    monkeypatch.setattr("llmdeploy.compiler.compile", compile)
    monkeypatch.chdir(tmp_path)
    raised = invoke(command, str(AUTO), *option).exception
    assert isinstance(raised, LookupError)
    assert raised.args == (policy,)


def test_the_two_policies_part_where_the_course_s_answer_is_archived() -> None:
    def engines(policy: str) -> list[str]:
        plan = json.loads(invoke("plan", str(AUTO), "--policy", policy, "--format", "json").stdout)
        return [service["engine"] for service in plan["services"]]

    assert engines("course") == ["vllm", "tgi", "sglang"]
    assert engines("maintained") == ["vllm", "vllm", "sglang"]


def test_engines_come_from_the_data() -> None:
    engines = json.loads(invoke("engines", "--format", "json").stdout)
    assert list(engines) == ["vllm", "sglang", "tgi", "openllm"]
    assert all(row["source"] for engine in engines.values() for row in engine["rows"])


def test_a_mistyped_command_is_guessed() -> None:
    result = invoke("biuld")
    assert result.exit_code == 2
    assert "Did you mean 'build'?" in result.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell: str) -> None:
    assert "_LLMDEPLOY_COMPLETE" in invoke("completion", shell).stdout


def test_an_unforeseen_failure_ends_in_one_line_and_status_70(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from llmdeploy import cli as package

    def fail(**_: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(package.cli, "main", fail)
    monkeypatch.delenv("LLMDEPLOY_TRACEBACK", raising=False)
    with pytest.raises(SystemExit) as ended:
        package.main()
    assert ended.value.code == package.BUG
    assert "LLMDEPLOY_TRACEBACK=1" in capsys.readouterr().err


def test_help_imports_neither_pydantic_nor_yaml() -> None:
    program = "import sys; sys.argv = ['llmdeploy', '--help']\nfrom llmdeploy.cli import main\ntry: main()\nexcept SystemExit: pass\nprint([m for m in ('pydantic', 'yaml', 'jinja2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"

"""The commands as a person or a program meets them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import struct
import subprocess
import sys
import termios
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
    found = json.loads(invoke("validate", str(HYBRID), "--format", "json").stdout)
    assert found == {"diagnostics": [], "memory_not_checked": []}


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
    gone = {c["capability"]: c for c in engines["vllm"]["course"] if c["verdict"] != "holds"}
    assert gone["prefix caching"] | {"source": ""} == {
        "capability": "prefix caching",
        "engine": "vllm",
        "said": "manual",
        "verdict": "outdated",
        "source": "",
        "version": "0.8.0",
        "by": None,
        "date": None,
        "why": "the V1 engine became the default, and it caches prefixes unless told otherwise",
    }


def test_engines_as_json_have_every_span_and_of_one_release_what_holds_for_it() -> None:
    (vllm,) = json.loads(invoke("engines", "--engine", "vllm", "--format", "json").stdout).values()
    spans = [(r["since"], r["until"], r["has"]) for r in vllm["rows"] if r["capability"] == "GGUF"]
    assert spans == [(None, "0.24.0", True), ("0.24.0", None, False)]
    (vllm,) = json.loads(invoke("engines", "--engine", "vllm=0.33.0", "--format", "json").stdout).values()
    assert [row["value"] for row in vllm["rows"] if row["capability"] == "GGUF"] == [
        "no, only with vllm-gguf-plugin"
    ]
    assert vllm["version"] == "0.33.0"


def test_engines_stand_side_by_side_on_a_page_with_a_footnote_for_each_mark() -> None:
    text = invoke("engines").stdout
    assert max(map(len, text.splitlines())) <= 100
    head, *rows = text.splitlines()
    assert head.split() == ["vllm", "sglang", "tgi", "openllm"]
    starts = [head.index(name) for name in head.split()]
    for row in rows[: rows.index("* no longer what the course's table of 2025 says:")]:
        assert all(row[start - 2 : start].strip() == "" for start in starts), row
    marks = re.findall(r"(?<= )\*\d+(?!\S)", text[: text.index("* no longer")])
    notes = re.findall(r"^(\*\d+) ", text, re.MULTILINE)
    assert notes
    assert sorted(marks) == sorted(notes)
    assert "\x1b" not in text


def test_one_engine_is_shown_at_the_release_that_is_asked_for() -> None:
    old = invoke("engines", "--engine", "vllm=0.32.0").stdout
    new = invoke("engines", "--engine", "vllm").stdout
    assert ("vLLM 0.32.0" in old, "Medusa" in old) == (True, True)
    assert ("vLLM 0.33.0" in new, "Medusa" in new) == (True, False)
    assert "--enable-lora --lora-modules" in new
    assert "where this comes from" not in new
    assert "vllm/config/speculative.py" in invoke("engines", "--engine", "vllm", "--sources").stdout


@pytest.mark.parametrize(
    ("asked", "known"),
    [("vlm", "vllm, sglang, tgi, openllm"), ("tgi=1.4", "3.3.7"), ("vllm=", "0.33.0"), ("=0.33.0", "vllm")],
)
def test_an_unknown_engine_or_release_is_told_what_is_known(asked: str, known: str) -> None:
    result = invoke("engines", "--engine", asked)
    assert result.exit_code == 2
    assert known in result.output


def on_a_terminal(*arguments: str, **variables: str) -> str:
    """What a terminal of 120 columns gets to see."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 120, 0, 0))
    env = {"PATH": os.environ["PATH"], "TERM": "xterm", **variables}
    shown = bytearray()
    with subprocess.Popen([sys.executable, "-m", "llmdeploy", *arguments], stdout=theirs, env=env):
        os.close(theirs)
        # On Linux the end of a terminal that nobody writes to any more is an error.
        with contextlib.suppress(OSError):
            while read := os.read(ours, 4096):
                shown += read
    os.close(ours)
    return shown.decode()


def test_engines_have_colour_and_its_width_on_a_terminal_alone() -> None:
    shown = on_a_terminal("engines")
    assert "\x1b[1m" in shown
    assert 100 < max(len(line) for line in shown.splitlines() if "\x1b" not in line) <= 120
    assert "\x1b" not in on_a_terminal("engines", NO_COLOR="1")


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
    program = "import sys; sys.argv = ['llmdeploy', '--help']\nfrom llmdeploy.cli import cli\ntry: cli.main()\nexcept SystemExit: pass\nprint([m for m in ('pydantic', 'yaml', 'jinja2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"

"""`llmdeploy plan`: the picture, the JSON and the page, as a person or a program meets them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace
from support import ledgers

from llmdeploy import compiler
from llmdeploy.cli import cli
from llmdeploy.compiler import compile
from llmdeploy.memory.model import Ledger
from llmdeploy.plan.document import document, memory
from llmdeploy.plan.hardware import hardware
from llmdeploy.show.cards import pools
from llmdeploy.show.covered import covered
from llmdeploy.show.page import command, page

ROOT = Path(__file__).resolve().parents[2]
HYBRID = ROOT / "examples" / "02-hybrid" / "llm.yaml"
BROKEN_SPECS = sorted((ROOT / "tests" / "diagnostics" / "err").rglob("*.yaml"))
LEDGERS = ledgers.HYBRID

TOO_MANY = """\
version: 1
name: x
gpus: {gpu: {type: l40s, count: 3}}
models:
  chat: {source: Qwen/Qwen3-8B, gpus: 3}
routes: [{path: /chat, model: chat}]
"""
HOSTILE = """\
version: 1
name: x
gpus: {gpu: {type: l40s, count: 1}}
models:
  chat:
    source: Qwen/Qwen3-8B
    gpus: 1
    revision: "<script>alert(1)</script>"
    served_names: ['"><img src=https://example.com/x>', "</code></pre><style>*{display:none}</style>"]
    env: {A: "<iframe src='//example.com'>", B: "{{ 7 * 7 }}&amp;"}
routes: [{path: /chat, model: chat}]
"""


def invoke(*arguments: str, input: str | None = None, **options: Any) -> Result:
    return CliRunner(**options).invoke(cli, ["plan", *arguments], input=input)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every plan has ledgers, as if its models had been computed."""
    judge(monkeypatch, LEDGERS)


def judge(monkeypatch: pytest.MonkeyPatch, by_model: Mapping[str, Ledger]) -> None:
    resolve = compiler.resolve

    def resolved(*arguments: Any) -> Any:
        plan, found = resolve(*arguments)
        services = tuple(replace(each, memory=by_model.get(each.name)) for each in plan.services)
        return replace(plan, services=services), found

    monkeypatch.setattr(compiler, "resolve", resolved)


def test_the_table_has_a_verdict_for_every_model_and_a_bar_for_every_gpu(judged: None) -> None:
    text = invoke(str(HYBRID), "--no-why").stdout
    assert "batch FITS: 31.03 GiB to spare beside one request of 32,768 tokens" in text
    assert "  GPU 0–3, each: batch\n  ███" in text
    assert "  GPU 6–7, each: idle\n  ···" in text
    assert text.index("h100 8 × NVIDIA H100") < text.index("reached at")
    assert "\x1b" not in text


@pytest.mark.parametrize("columns", ["60", "200"])
def test_the_picture_keeps_to_the_width_of_the_terminal(
    columns: str, judged: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    text = invoke(str(HYBRID), "--no-why").stdout
    picture = text[text.index("\nmemory\n") : text.index("\nreached at\n")]
    assert max(map(len, picture.splitlines())) <= int(columns)


def test_a_terminal_that_cannot_print_blocks_gets_ascii() -> None:
    """A real process, because what cannot be printed ends a Python program."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    argv = [sys.executable, "-m", "llmdeploy", "plan", str(HYBRID)]
    done = subprocess.run(argv, env=environment, capture_output=True, check=True)
    assert done.stdout.isascii()
    assert b"/batch -> batch" in done.stdout


@pytest.mark.parametrize(("no_color", "escapes"), [("", True), ("1", False)])
def test_a_terminal_gets_colour_unless_it_is_not_wanted(no_color: str, escapes: bool) -> None:
    ours, theirs = os.openpty()
    environment = {**os.environ, "NO_COLOR": no_color, "TERM": "xterm"}
    argv = [sys.executable, "-m", "llmdeploy", "plan", str(HYBRID), "--no-why"]
    with subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL, stdout=theirs):
        os.close(theirs)
        said = b""
        with contextlib.suppress(OSError):  # how Linux says that the other end is closed
            while piece := os.read(ours, 1 << 16):
                said += piece
    os.close(ours)
    assert b"reached at" in said
    assert (b"\x1b[" in said) is escapes


def test_without_a_ledger_nothing_is_said_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    judge(monkeypatch, {})
    text = invoke(str(HYBRID), "--no-why").stdout
    assert "\nmemory\n" not in text
    assert "█" not in text
    assert "GPU memory" not in invoke(str(HYBRID), "--html", "-").stdout


def test_where_there_are_errors_the_picture_is_there_and_what_does_not_run_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge(monkeypatch, {"chat": ledgers.NO})
    result = invoke("-", input=TOO_MANY)
    assert result.exit_code == 1
    assert "error[LD302]" in result.stderr
    assert "NO: lacks 69.92 GiB" in result.stdout
    assert "GPU 0–2, each: chat" in result.stdout
    assert "vllm serve" not in result.stdout


def test_where_there_are_errors_the_json_has_the_services_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    judge(monkeypatch, {"chat": ledgers.NO})
    result = invoke("-", "--format", "json", input=TOO_MANY)
    assert result.exit_code == 1
    plan = json.loads(result.stdout)
    assert [found["code"] for found in plan["diagnostics"]] == ["LD302"]
    (service,) = plan["services"]
    assert service["memory"]["verdict"] == "NO"
    assert service["memory"]["margin_gib"] == -69.92
    assert plan["routes"][0]["model"] == "chat"


def test_a_file_that_gives_no_plan_has_no_services_in_json() -> None:
    plan = json.loads(invoke("-", "--format", "json", input="version: 1\nname: x\n").stdout)
    assert plan["services"] == []
    assert plan["diagnostics"]


def test_the_memory_of_a_service_has_the_published_shape(judged: None) -> None:
    batch = json.loads(invoke(str(HYBRID), "--format", "json").stdout)["services"][0]["memory"]
    assert {key: value for key, value in batch.items() if key not in ("ranks", "notes")} == {
        "shm_gib": 8,
        "gpu_gib": 79.18,
        "host_gib": None,
        "verdict": "FITS",
        "reason": None,
        "margin_gib": 31.03,
        "usable_gib": 72.85,
        "kv_tokens": 465_040,
        "requests_at_context": 14.19,
        "max_sequences": 64,
        "bytes_per_token": 81_920,
        "context": 32_768,
        "concurrency": 64,
        "batch_tokens": 8192,
        "fraction": None,
        "kv_bytes_per_request": None,
    }
    assert [(rank["stage"], rank["rank"]) for rank in batch["ranks"]] == [(0, 0), (0, 1), (0, 2), (0, 3)]
    first = batch["ranks"][0]
    assert {key: first[key] for key in first if key.endswith("_gib")} == {
        "weights_gib": 32.89,
        "activation_gib": 0.63,
        "nontorch_gib": 2.06,
        "cuda_graphs_gib": 1.79,
        "kv_gib": 35.48,
    }
    assert first["lines"][0] == {"term": "weights", "gib": 32.89, "rule": "how much weights there is"}


def test_without_a_ledger_the_keys_are_there_and_empty() -> None:
    assert memory(None).keys() == memory(ledgers.TP4).keys()
    assert all(not value for value in memory(None).values())


@pytest.mark.parametrize("path", BROKEN_SPECS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_whatever_is_wrong_with_a_file_its_plan_can_be_shown(path: Path) -> None:
    result = compile(path.read_text(encoding="utf-8"), file=path.name, emit=False)
    if result.plan is not None and result.spec is not None:
        shown = {**document(result.plan), "diagnostics": []}
        text = page(shown, result.plan, pools(result.plan, hardware(result.spec)), [])
        assert text.endswith("</html>\n")


@pytest.mark.parametrize(
    "stated",
    [
        "env: {MY_PASSWORD: swordfish}",
        'engine_args: {hf-config-path: "sk-swordfish123"}',
        'engine_args: {hf-overrides: {a: "hf_swordfish"}}',
        "served_names: [hf_swordfish1swordfish1swordfish]",
    ],
)
@pytest.mark.parametrize("option", [["--format", "json"], ["--html", "-"], []], ids=["json", "html", "table"])
def test_a_credential_that_the_file_states_is_never_repeated(option: list[str], stated: str) -> None:
    text = f"""\
version: 1
name: x
gpus: {{gpu: {{type: l40s, count: 1}}}}
models:
  chat:
    source: Qwen/Qwen3-8B
    gpus: 1
    {stated}
routes: [{{path: /chat, model: chat}}]
"""
    result = invoke("-", *option, input=text)
    assert result.exit_code == 1
    assert "LD310" in result.output
    assert "swordfish" not in result.output


def test_what_holds_no_credential_is_shown_as_it_is() -> None:
    plan = compile(TOO_MANY, emit=False)
    assert plan.plan is not None
    shown = document(plan.plan)
    assert covered(shown, plan.diagnostics) is shown


class Outline(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loads: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [(name, value) for name, value in attrs if name in ("src", "href", "srcset", "action")]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_has_everything_that_the_plan_says(judged: None) -> None:
    text = invoke(str(HYBRID), "--html", "-").stdout
    seen = Outline(text)
    words = " ".join(seen.text.split())
    plan = json.loads(invoke(str(HYBRID), "--format", "json").stdout)
    for service in plan["services"]:
        assert " ".join(command(service["argv"]).split()) in words
        assert service["image"] in words
        assert all(reason["because"].replace("`", "") in words for reason in service["why"])
        for rank in service["memory"]["ranks"]:
            assert all(line["rule"] in words for line in rank["lines"])
    for needed in ("GPU 0–3, each", "31.03 GiB to spare", "465,040", "14.19", "outside the engine's share"):
        assert needed in words
    assert "http://127.0.0.1:8080/batch" in words
    assert "/generate_stream" in words


def test_the_page_asks_for_nothing_and_runs_nothing(judged: None) -> None:
    text = invoke(str(HYBRID), "--html", "-").stdout
    seen = Outline(text)
    assert not {"script", "img", "link", "iframe", "object", "embed", "form", "base"} & set(seen.tags)
    assert [value for _, value in seen.loads if not str(value).startswith("#m")] == []
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'; style-src 'unsafe-inline'" in text


def test_text_of_the_file_is_text_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = "<script>alert(2)</script>"
    rank = replace(ledgers.MOE.ranks[0], lines=(replace(ledgers.MOE.ranks[0].lines[0], rule=hostile),))
    judge(monkeypatch, {"chat": replace(ledgers.MOE, ranks=(rank,), notes=(hostile,))})
    text = invoke("-", "--html", "-", input=HOSTILE).stdout
    plain = Outline(invoke("-", "--html", "-", input=HOSTILE.replace("<", "x")).stdout)
    seen = Outline(text)
    assert seen.tags == plain.tags
    for said in (
        "<script>alert(1)</script>",
        hostile,
        '"><img src=https://example.com/x>',
        "{{ 7 * 7 }}&amp;",
    ):
        assert said in seen.text


def test_a_command_line_is_shown_as_a_shell_takes_it() -> None:
    argv = ["vllm", "serve", "org/model", "--port", "8000", "--flag", "it's $HOME"]
    shown = command(argv)
    assert shown.splitlines()[1] == "  --port 8000 \\"
    said = subprocess.run(
        ["bash", "-c", f"printf '%s\\n' {shown}"], capture_output=True, text=True, check=True
    )
    assert said.stdout.splitlines() == argv


def test_the_page_is_written_and_written_again(tmp_path: Path) -> None:
    target = tmp_path / "plan.html"
    result = invoke(str(HYBRID), "--html", str(target))
    assert (result.exit_code, result.stdout) == (0, f"wrote {target}\n")
    first = target.read_text(encoding="utf-8")
    assert first.startswith("<!doctype html>")
    assert "Why it is so" in first
    assert invoke(str(HYBRID), "--no-why", "--html", str(target)).exit_code == 0
    assert "Why it is so" not in target.read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["plan.html"]


@pytest.mark.parametrize("edit", [lambda text: "mine\n", lambda text: text.replace("Models", "Mine")])
def test_somebody_s_own_file_is_kept_unless_forced(edit: Any, tmp_path: Path) -> None:
    target = tmp_path / "plan.html"
    invoke(str(HYBRID), "--html", str(target))
    mine = edit(target.read_text(encoding="utf-8"))
    target.write_text(mine, encoding="utf-8")
    result = invoke(str(HYBRID), "--html", str(target))
    assert result.exit_code == 1
    assert "error[LD901]" in result.stderr
    assert "--force" in result.stderr
    assert target.read_text(encoding="utf-8") == mine
    assert invoke(str(HYBRID), "--html", str(target), "--force").exit_code == 0
    assert target.read_text(encoding="utf-8") != mine


def test_a_directory_that_is_not_there_is_named_with_the_remedy(tmp_path: Path) -> None:
    result = invoke(str(HYBRID), "--html", str(tmp_path / "no" / "plan.html"))
    assert result.exit_code == 1
    assert "error[LD902]" in result.stderr
    assert f"mkdir -p {tmp_path / 'no'}" in result.stderr
    assert not (tmp_path / "no").exists()


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for target, what in ((tmp_path, "is a directory"), (pipe, "is not a file")):
        result = invoke(str(HYBRID), "--html", str(target), "--force")
        assert result.exit_code == 1
        assert re.search(f"LD902.*{what}", result.stderr)
    assert pipe.is_fifo()


def test_a_page_of_a_file_with_errors_has_the_findings(tmp_path: Path) -> None:
    target = tmp_path / "plan.html"
    assert invoke("-", "--html", str(target), input=TOO_MANY).exit_code == 1
    assert "LD302" in target.read_text(encoding="utf-8")


def test_where_nothing_is_known_there_is_no_page(tmp_path: Path) -> None:
    result = invoke("-", "--html", str(tmp_path / "plan.html"), input="version: 1\n")
    assert result.exit_code == 1
    assert "no page was made" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_page_and_json_at_once_is_a_usage_error() -> None:
    assert invoke(str(HYBRID), "--format", "json", "--html", "-").exit_code == 2
    assert invoke(str(HYBRID), "--force").exit_code == 2


@pytest.mark.parametrize("option", [[], ["--format", "json"]], ids=["table", "json"])
def test_a_plain_plan_imports_nothing_that_only_the_page_needs(option: list[str]) -> None:
    code = (
        "import sys\nfrom llmdeploy.cli import cli\n"
        f"try: cli.main(['plan', {str(HYBRID)!r}, *{option!r}])\nexcept SystemExit as done: assert not done.code\n"
        "assert not {'jinja2', 'rich', 'llmdeploy.show.page'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

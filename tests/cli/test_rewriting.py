"""`upgrade` and `migrate` as a person or a program meets them: bad input, JSON, and the file that is written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from llmdeploy.cli import cli

SPEC = """\
version: 1
name: x
gpus: {gpu: {type: l40s, count: 2}}
models:
  chat: {source: Qwen/Qwen3-8B, engine: tgi, gpus: 1, env: {MY_TOKEN: abc}} # llmdeploy: allow LD505
  other: {source: Qwen/Qwen3-8B, engine_version: 0.32.0, gpus: 1}
routes: [{path: /chat, model: chat}, {path: /other, model: other}]
"""


def invoke(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(cli, list(arguments), input=input)


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "llm.yaml"
    file.write_text(SPEC.replace(", env: {MY_TOKEN: abc}", ""))
    return file


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["upgrade", "--to", "vllm"], "--to wants a version, like `--to vllm=0.33.0`"),
        (["upgrade", "--to", "vllm="], "--to wants a version, like `--to vllm=0.33.0`"),
        (["upgrade", "--to", "vlm=0.33.0"], "there is no engine `vlm`; did you mean `vllm`?"),
        (["upgrade", "--to", "=0.33.0"], "there is no engine ``; write `vllm`"),
        (["upgrade", "--to", "vllm=9.9.9"], "of vLLM 9.9.9 nothing is known"),
        (["upgrade", "--to", "vllm=new"], "of vLLM new nothing is known"),
        (["upgrade", "--to", "sglang=0.5.23"], "no model of this file runs on sglang"),
        (["upgrade", "--to", "vllm=0.33.0", "--model", "chat"], "`chat` runs on tgi, not on vllm"),
        (
            ["upgrade", "--to", "vllm=0.33.0", "--model", "chad"],
            "there is no model `chad`; did you mean `chat`?",
        ),
        (["migrate", "--to", "vllm", "--model", "chad"], "there is no model `chad`; did you mean `chat`?"),
        (["migrate", "--to", "vllm", "--model", "other"], "`other` runs on vllm already; `llmdeploy upgrade"),
        (["migrate", "--to", "tgi", "--model", "other"], "'tgi' is not one of 'vllm', 'sglang'"),
        (["migrate", "--to", "vllm"], "Missing option '--model'"),
    ],
)
def test_what_cannot_be_asked_for_is_a_usage_error(arguments: list[str], said: str, spec: Path) -> None:
    result = invoke(*arguments, str(spec))
    assert result.exit_code == 2
    assert said in result.output


@pytest.mark.parametrize(
    "command", [["upgrade", "--to", "vllm=0.33.0"], ["migrate", "--to", "vllm", "--model", "chat"]]
)
class TestBoth:
    def test_a_missing_file_is_a_finding_with_its_remedy(self, command: list[str], tmp_path: Path) -> None:
        result = invoke(*command, str(tmp_path / "none.yaml"))
        assert result.exit_code == 1
        assert "llmdeploy init" in result.output

    @pytest.mark.parametrize("text", ["", "a: [", "models: {chat: 1}\n", "version: 1\nmodels: {chat: {}}\n"])
    def test_a_file_without_shape_is_left_alone(self, command: list[str], text: str, spec: Path) -> None:
        spec.write_text(text)
        result = invoke(*command, "--write", str(spec))
        assert result.exit_code == 1
        assert "error[LD" in result.output
        assert spec.read_text() == text

    def test_a_file_without_shape_is_json_as_well(self, command: list[str], spec: Path) -> None:
        spec.write_text("version: 1\n")
        result = invoke(*command, "--format", "json", str(spec))
        document = json.loads(result.stdout)
        assert result.exit_code == 1
        assert document["rewrites"] == [] and document["written"] is False
        assert {finding["code"] for finding in document["diagnostics"]} == {"LD102"}

    def test_standard_input_is_read_and_cannot_be_written(self, command: list[str], spec: Path) -> None:
        assert invoke(*command, "-", input=spec.read_text()).exit_code == 0
        refused = invoke(*command, "-", "--write", input=spec.read_text())
        assert refused.exit_code == 2
        assert "--write has no file to edit" in refused.output

    def test_write_keeps_mode_and_byte_order_mark_and_says_so(self, command: list[str], spec: Path) -> None:
        spec.write_bytes(b"\xef\xbb\xbf" + spec.read_bytes())
        spec.chmod(0o640)
        result = invoke(*command, "--write", str(spec))
        assert result.exit_code == 0, result.output
        assert f"edited {spec}" in result.output
        assert spec.read_bytes().startswith(b"\xef\xbb\xbfversion: 1\n")
        assert spec.stat().st_mode & 0o777 == 0o640
        assert [path.name for path in spec.parent.iterdir()] == ["llm.yaml"]

    def test_write_through_a_link_edits_the_file_that_it_leads_to(
        self, command: list[str], spec: Path
    ) -> None:
        link = spec.parent / "link.yaml"
        link.symlink_to("llm.yaml")
        before = spec.read_text()
        assert invoke(*command, "--write", str(link)).exit_code == 0
        assert link.is_symlink()
        assert spec.read_text() != before

    def test_a_file_that_cannot_be_written_is_as_it_was(
        self, command: list[str], spec: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        before = spec.read_bytes()
        monkeypatch.setattr(os, "fdopen", full)
        result = invoke(*command, "--write", str(spec))
        assert result.exit_code == 1
        assert "No space left on device; it is as it was" in result.output
        assert spec.read_bytes() == before
        assert [path.name for path in spec.parent.iterdir()] == ["llm.yaml"]
        result = invoke(*command, "--write", "--format", "json", str(spec))
        assert result.exit_code == 1
        assert json.loads(result.stdout)["written"] is False

    def test_a_read_only_file_is_not_replaced(
        self, command: list[str], spec: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)  # root may write everywhere
        result = invoke(*command, "--write", str(spec))
        assert result.exit_code == 1
        assert "cannot be written: it is read-only" in result.output

    def test_json_says_all_of_it(self, command: list[str], spec: Path) -> None:
        result = invoke(*command, "--format", "json", str(spec))
        document = json.loads(result.stdout)
        assert document.keys() == {
            *("rewrites", "left_open", "cannot_edit", "lost_comments", "running", "files", "diff"),
            *("written", "diagnostics"),
        }
        (rewrite,) = document["rewrites"]
        assert rewrite.keys() == {"model", "from", "to", "kept", "items"}
        assert rewrite["to"] == {"engine": "vllm", "engine_version": "0.33.0"}
        assert document["diff"]["spec"].startswith(f"--- {spec}\n+++ {spec}\n")
        assert document["written"] is False

    def test_an_entry_that_is_shared_is_not_edited(self, command: list[str], spec: Path) -> None:
        text = (
            spec.read_text()
            .replace("chat: {", "chat: &it {")
            .replace("/other, model: other", "/third, model: third")
        )
        lines = text.splitlines(keepends=True)
        lines[5] = lines[5].replace("other: {", "other: &other {")
        text = "".join([*lines[:6], "  third: *other\n", "  fourth: *it\n", *lines[6:]])
        spec.write_text(text)
        result = invoke(*command, "--write", str(spec))
        assert result.exit_code == 1
        assert "cannot be edited: it is shared with `models." in result.stderr
        assert spec.read_text() == text
        document = json.loads(invoke(*command, "--write", "--format", "json", str(spec)).stdout)
        assert document["written"] is False and document["rewrites"]
        assert {each["line"] for each in document["cannot_edit"]} <= {5, 6}
        assert all(each["entry"].startswith("models.") for each in document["cannot_edit"])


def test_a_credential_is_never_shown() -> None:
    for format in ("text", "json"):
        result = invoke("migrate", "--to", "vllm", "--model", "chat", "--format", format, "-", input=SPEC)
        assert "abc" not in result.output.replace("LD310", "")


def test_the_difference_of_the_artifacts_names_what_runs(spec: Path) -> None:
    result = invoke("upgrade", "--to", "vllm=0.33.0", "--format", "json", str(spec))
    diff = json.loads(result.stdout)["diff"]["artifacts"]
    assert "\n-    image: vllm/vllm-openai:v0.32.0\n+    image: vllm/vllm-openai:v0.33.0\n" in diff
    assert "\n-    image: ghcr.io" not in diff, "the other model stays as it is"


def test_a_credential_in_a_comment_is_not_shown_either() -> None:
    spec = SPEC.replace(
        "engine: tgi, gpus: 1, env: {MY_TOKEN: abc}} # llmdeploy: allow LD505",
        "gpus: 1,\n    engine_version: 0.18.1,\n    # HF_TOKEN: abc\n"
        "    env: {VLLM_RPC_TIMEOUT: '1'}, # PASSWORD=abc, as it was\n  }",
    )
    for format in ("text", "json"):
        said = invoke("upgrade", "--to", "vllm=0.33.0", "--format", format, "-", input=spec).stdout
        assert "# HF_TOKEN: [REDACTED]" in said and "# PASSWORD=[REDACTED], as it was" in said
        assert "abc" not in said


def test_a_change_is_told_once_however_many_targets_there_are(spec: Path) -> None:
    summary = invoke("upgrade", "--to", "vllm=0.33.0", str(spec)).stdout
    assert summary.count("image  vllm/vllm-openai:v0.33.0") == 1
    assert "+++ b/" not in summary and "--diff shows their lines" in summary
    assert "  helm/x/values.yaml" in summary
    assert (
        "+++ b/helm/x/values.yaml\n" in invoke("upgrade", "--to", "vllm=0.33.0", "--diff", str(spec)).stdout
    )
    document = json.loads(invoke("upgrade", "--to", "vllm=0.33.0", "--format", "json", str(spec)).stdout)
    assert document["running"] == [
        {
            "model": "other",
            "changes": [
                {"what": "image", "before": "vllm/vllm-openai:v0.32.0", "after": "vllm/vllm-openai:v0.33.0"}
            ],
            "also": [],
        }
    ]
    diff = document["diff"]["artifacts"]
    assert [file["path"] for file in document["files"]] == [
        line.removeprefix("+++ b/") for line in diff.splitlines() if line.startswith("+++ b/")
    ]


def test_models_that_leave_their_engine_open_are_named_with_what_is_chosen(spec: Path) -> None:
    spec.write_text(SPEC.replace("engine: tgi, gpus: 1, env: {MY_TOKEN: abc}}", "engine: auto, gpus: 1}"))
    document = json.loads(invoke("upgrade", "--to", "vllm=0.33.0", "--format", "json", str(spec)).stdout)
    newest = {"engine": "vllm", "engine_version": "0.33.0"}
    assert document["left_open"] == [{"model": "chat", "line": 5, "from": newest, "to": newest}]
    assert [rewrite["model"] for rewrite in document["rewrites"]] == ["other"]


def test_a_model_that_leaves_its_engine_open_has_no_release_to_change(spec: Path) -> None:
    spec.write_text(spec.read_text().replace("engine_version: 0.32.0", "engine: auto"))
    named = invoke("upgrade", "--to", "vllm=0.32.0", "--model", "other", str(spec))
    assert named.exit_code == 2
    assert "`other` leaves its engine open" in named.output
    refused = invoke("upgrade", "--to", "vllm=0.32.0", str(spec)).output
    assert "no model of this file runs on vllm; `other`: `engine: auto` follows the catalog" in refused
    assert "engine: vllm" in invoke("migrate", "--to", "vllm", "--model", "other", str(spec)).stdout

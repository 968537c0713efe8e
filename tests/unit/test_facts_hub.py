"""`--online`: the real huggingface_hub client against a Hub on this machine, and what is kept of its answers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.fake_hub import COMMIT, FakeHub, serving
from support.weights import CONFIG, LLAMA, checkpoint

from llmdeploy.cli import cli
from llmdeploy.facts import hub as hub_module
from llmdeploy.facts import hub_cache
from llmdeploy.facts.flaw import Flaw
from llmdeploy.facts.hub import Hub
from llmdeploy.facts.places import Places
from llmdeploy.facts.sources import Named
from llmdeploy.memory.model import Tensor

MODEL = Named(("source",), hub_id="org/model")
TENSORS = {name: Tensor(*kind) for name, kind in LLAMA.items()}
TOKEN = "hf_" + "abcdefghij" * 4


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "repository").mkdir()
    with serving(FakeHub(tmp_path / "repository")) as running:
        yield running


@pytest.fixture
def kept(tmp_path: Path) -> Places:
    return Places(tmp_path / "own", tmp_path / "hf")


def hub(server: FakeHub, kept: Places, **environ: str) -> Hub:
    return Hub({"HF_ENDPOINT": server.url, **environ}, kept)


def flaw(asked: Hub, source: Named = MODEL) -> Flaw:
    (found,) = asked.ask([source]).values()
    assert found.code == "LD529"
    return found


def known(kept: Places, revision: str | None = None) -> Any:
    found = hub_cache.find(kept, "org/model", revision)
    return hub_cache.model("org/model", found) if found else None


@pytest.mark.parametrize("shards", [1, 2])
def test_config_and_headers_are_fetched_and_kept(server: FakeHub, kept: Places, shards: int) -> None:
    parts = [dict(list(LLAMA.items())[part::shards]) for part in range(shards)]
    names = (
        ["model.safetensors"]
        if shards == 1
        else ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    )
    checkpoint(server.folder, dict(zip(names, parts, strict=True)))
    assert hub(server, kept).ask([MODEL]) == {}
    found = known(kept)
    assert (found.config, found.tensors) == (CONFIG, TENSORS)
    assert (
        found.source
        == f"config.json and the headers of its weights of `org/model` at {COMMIT[:12]}, from the Hub"
    )
    asked = len(server.asked)
    assert known(kept) == found and len(server.asked) == asked


def test_no_weights_are_downloaded(server: FakeHub, kept: Places) -> None:
    checkpoint(server.folder, {"model.safetensors": {"a": ("BF16", (4096, 4096))}})
    assert hub(server, kept).ask([MODEL]) == {}
    assert known(kept).tensors == {"a": Tensor("BF16", (4096, 4096))}
    assert server.sent < 200_000


def test_a_repository_without_safetensors_has_its_config(server: FakeHub, kept: Places) -> None:
    checkpoint(server.folder, {})
    (server.folder / "hf_quant_config.json").write_text('{"quantization": {"quant_algo": "FP8"}}')
    assert hub(server, kept).ask([MODEL]) == {}
    assert known(kept).config == {**CONFIG, "hf_quant_config": {"quant_algo": "FP8"}}
    assert known(kept).tensors is None


def test_a_commit_is_asked_for_once_and_a_branch_each_time(server: FakeHub, kept: Places) -> None:
    checkpoint(server.folder, {})
    for revision, more in ((COMMIT, False), ("main", True)):
        source = Named(("source",), hub_id="org/model", revision=revision)
        assert hub(server, kept).ask([source]) == {}
        asked = len(server.asked)
        again = hub(server, kept)
        assert again.ask([source]) == {} and (len(server.asked) > asked) is more
        asked = len(server.asked)
        assert again.ask([source]) == {} and len(server.asked) == asked  # one that compiles several times


def test_the_token_is_that_which_llm_yaml_names(server: FakeHub, kept: Places) -> None:
    server.token = TOKEN
    checkpoint(server.folder, {})
    source = Named(("source",), hub_id="org/model", variable="MINE")
    assert "gated" in flaw(hub(server, kept), source).message
    assert "MINE" in flaw(hub(server, kept), source).help
    assert hub(server, kept, MINE=TOKEN).ask([source]) == {}
    assert TOKEN not in "".join(path.read_text() for path in kept.own.rglob("*.json"))


@pytest.mark.parametrize(
    ("answer", "says", "helps"),
    [
        ((401, ""), "none for this token (status 401)", "set HF_TOKEN"),
        ((403, "GatedRepo"), "it is gated, and this token does not open it", "accept its licence"),
        ((403, ""), "none for this token (status 403)", "set HF_TOKEN"),
        ((404, "RepoNotFound"), "none for this token (status 404)", "see that the id is right"),
        ((429, ""), "too many requests", "HF_TOKEN raises the limit"),
        ((500, ""), "status 500", "try again later"),
        ((418, ""), "status 418", "try again later"),
    ],
)
def test_a_refusal_is_a_warning_with_a_remedy(
    server: FakeHub, kept: Places, answer: tuple[int, str], says: str, helps: str
) -> None:
    server.answer = answer
    found = flaw(hub(server, kept, HF_TOKEN=TOKEN))
    assert says in found.message and helps in found.help
    assert TOKEN not in str(found)


def test_a_revision_that_is_not_there(server: FakeHub, kept: Places) -> None:
    checkpoint(server.folder, {})
    assert (
        "no revision `v9`"
        in flaw(hub(server, kept), Named(("source",), hub_id="org/model", revision="v9")).message
    )


def test_a_repository_that_is_not_whole(server: FakeHub, kept: Places) -> None:
    checkpoint(server.folder, {"model-00001-of-00002.safetensors": LLAMA})
    assert "model-00002-of-00002" in flaw(hub(server, kept)).message


def test_a_header_that_is_none(server: FakeHub, kept: Places) -> None:
    checkpoint(server.folder, {})
    (server.folder / "model.safetensors").write_bytes(b"nonsense" * 10)
    assert "header" in flaw(hub(server, kept)).message


def test_a_server_that_keeps_silent_is_not_waited_for(
    server: FakeHub, kept: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.slow_s = 2
    monkeypatch.setattr(hub_module, "PATIENCE_S", 0.2)
    assert "cannot be reached" in flaw(hub(server, kept)).message


def test_where_there_is_no_hub_the_next_model_does_not_wait_for_it(kept: Places) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        asked = Hub({"HF_ENDPOINT": f"http://127.0.0.1:{unused.getsockname()[1]}"}, kept)
        found = asked.ask([MODEL, Named(("source",), hub_id="org/other")])
    assert len(found) == 2 and all("cannot be reached" in each.message for each in found.values())


@pytest.mark.parametrize(
    "endpoint", ["nonsense", "http://", "ftp://127.0.0.1", "http://[", "http://127.0.0.1:99999"]
)
def test_an_endpoint_that_is_none(kept: Places, endpoint: str) -> None:
    assert flaw(Hub({"HF_ENDPOINT": endpoint}, kept))


def test_nothing_is_asked_where_that_is_forbidden(server: FakeHub, kept: Places) -> None:
    assert "HF_HUB_OFFLINE is set" in flaw(hub(server, kept, HF_HUB_OFFLINE="1")).message
    assert server.asked == []


def test_without_huggingface_hub_its_install_is_named(
    server: FakeHub, kept: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "pip install 'huggingface_hub>=2.4,<3'" in flaw(hub(server, kept)).help


def test_a_cache_that_cannot_be_written_is_no_reason_to_stop(server: FakeHub, tmp_path: Path) -> None:
    checkpoint(server.folder, {})
    (tmp_path / "file").write_text("")
    found = flaw(hub(server, Places(tmp_path / "file", tmp_path / "hf")))
    assert "cannot be kept" in found.message and "LLMDEPLOY_CACHE" in found.help


LLM_YAML = """\
version: 1
name: demo
gpus:
  gpu: {type: l40s, count: 4}
models:
  chat:
    source: org/model
    gpus: 3
routes:
  - {path: /chat, model: chat}
targets: {docker: {}}
"""


def test_what_is_fetched_once_is_known_offline(
    server: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint(server.folder, {"model.safetensors": LLAMA})
    (tmp_path / "llm.yaml").write_text(LLM_YAML)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("LLMDEPLOY_CACHE", str(tmp_path / "cache"))

    def validated(*options: str) -> str:
        return CliRunner().invoke(cli, ["validate", str(tmp_path / "llm.yaml"), *options]).output

    assert "fine" in validated()
    assert server.asked == []
    assert "LD302" in validated("--online")  # 8 heads over 3 GPUs
    asked = len(server.asked)
    assert "LD302" in validated()
    assert len(server.asked) == asked


def test_a_refusal_stands_where_llm_yaml_names_the_source(
    server: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = (404, "RepoNotFound")
    (tmp_path / "llm.yaml").write_text(LLM_YAML)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("LLMDEPLOY_CACHE", str(tmp_path / "cache"))
    result = CliRunner().invoke(cli, ["validate", str(tmp_path / "llm.yaml"), "--online"])
    assert result.exit_code == 0
    assert "warning[LD529]" in result.output and "llm.yaml:7:13" in result.output


def test_nothing_is_imported_for_what_nobody_keeps(tmp_path: Path) -> None:
    """Starting counts: a spec without local weights pays two stats a model."""
    (tmp_path / "llm.yaml").write_text(LLM_YAML)
    code = (
        "import sys\nfrom llmdeploy.cli import cli\n"
        "try: cli(['validate', 'llm.yaml'])\n"
        "except SystemExit: pass\n"
        "print(sorted(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    loaded = done.stdout
    assert "llmdeploy.facts.gather" in loaded
    ours = ("facts.hub", "facts.hub_cache", "facts.weights", "facts.gguf", "facts.safetensors")
    for name in ("huggingface_hub", *(f"llmdeploy.{name}" for name in ours)):
        assert f"'{name}'" not in loaded, name

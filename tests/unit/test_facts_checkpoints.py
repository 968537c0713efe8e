"""What is gathered of checkpoints: directories, GGUF files, what this machine keeps of the Hub, and llm.yaml's own words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.weights import (
    CONFIG,
    LLAMA,
    LLAMA_GGUF,
    LLAMA_GGUF_TENSORS,
    Tensors,
    checkpoint,
    gguf,
    safetensors,
)

from llmdeploy.checks.context import Context
from llmdeploy.compiler import compile
from llmdeploy.engines.base import Engine
from llmdeploy.facts import Facts, hub_cache
from llmdeploy.facts.completed import completed
from llmdeploy.facts.gather import gather
from llmdeploy.facts.lazy import Lazy
from llmdeploy.facts.places import Places, places
from llmdeploy.memory.model import Model, Tensor
from llmdeploy.source import read
from llmdeploy.spec.model import Spec
from llmdeploy.spec.parse import parse

COMMIT, OTHER = "a" * 40, "b" * 40
HUB_ID = "org/model"
TENSORS = {name: Tensor(*kind) for name, kind in LLAMA.items()}


def spec_of(model: str) -> Spec:
    text = f"version: 1\nname: demo\ngpus: {{gpu: {{type: l40s, count: 4}}}}\nmodels: {{chat: {{{model}}}}}\n"
    spec, problems = parse(read(text, "llm.yaml")[0], {})
    assert spec and not problems, problems
    return spec


def gathered(folder: Path, model: str, kept: Places | None = None) -> Facts:
    return gather(spec_of(model), folder, folder / "out", kept)


@pytest.fixture
def kept(tmp_path: Path) -> Places:
    return Places(tmp_path / "own", tmp_path / "hf")


def snapshot(kept: Places, shards: dict[str, Tensors], commit: str = COMMIT, ref: str = "main") -> Path:
    """A repository in huggingface_hub's cache, as `hf download` leaves it."""
    folder = kept.hub / "models--org--model"
    (folder / "refs").mkdir(parents=True, exist_ok=True)
    (folder / "refs" / ref).write_text(commit)
    return checkpoint(folder / "snapshots" / commit, shards)


def test_a_directory(tmp_path: Path) -> None:
    checkpoint(tmp_path / "mine", {"model.safetensors": LLAMA})
    facts = gathered(tmp_path, "source: ./mine")
    source = "config.json and the headers of its weights in `./mine`"
    assert facts.checkpoints["./mine"] == Model("./mine", source, CONFIG, TENSORS)
    assert facts.models["./mine"].heads == 8
    assert "./mine" not in facts.flaws


def test_headers_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    checkpoint(tmp_path / "mine", {})
    facts = gathered(tmp_path, "source: ./mine")
    (tmp_path / "mine" / "model.safetensors").write_bytes(safetensors(LLAMA))
    assert facts.checkpoints["./mine"].tensors == TENSORS
    (tmp_path / "mine" / "model.safetensors").unlink()
    assert facts.checkpoints["./mine"].tensors == TENSORS


def test_modelopts_own_file_stands_in_the_config(tmp_path: Path) -> None:
    checkpoint(tmp_path / "mine", {})
    exported = {"quantization": {"quant_algo": "NVFP4", "exclude_modules": ["lm_head"]}}
    (tmp_path / "mine" / "hf_quant_config.json").write_text(json.dumps(exported))
    config = gathered(tmp_path, "source: ./mine").checkpoints["./mine"].config
    assert config == {**CONFIG, "hf_quant_config": exported["quantization"]}


def test_damage_is_a_flaw_and_what_could_be_read_stays(tmp_path: Path) -> None:
    checkpoint(tmp_path / "mine", {"model.safetensors": LLAMA})
    with (tmp_path / "mine" / "model.safetensors").open("r+b") as stream:
        stream.truncate(200)
    facts = gathered(tmp_path, "source: ./mine")
    assert facts.flaws["./mine"].code == "LD355"
    assert facts.checkpoints["./mine"].config == CONFIG
    assert facts.checkpoints["./mine"].tensors is None


@pytest.mark.parametrize("name", ["./mine", "./mine/m.gguf"])
def test_a_gguf_file_and_a_directory_that_has_one(tmp_path: Path, name: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "m.gguf").write_bytes(gguf(LLAMA_GGUF, LLAMA_GGUF_TENSORS))
    (tmp_path / "mine" / "mmproj-m.gguf").write_bytes(b"a projector")
    facts = gathered(tmp_path, f"source: {name}")
    assert facts.checkpoints[name].config["num_key_value_heads"] == 2
    assert facts.checkpoints[name].tensors is not None
    assert facts.models[name].heads == 8
    assert name not in facts.flaws


def test_parts_of_a_gguf_file_are_one_model(tmp_path: Path) -> None:
    names = [f"m-0000{part}-of-00002.gguf" for part in (1, 2)]
    first, *rest = LLAMA_GGUF_TENSORS.items()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / names[0]).write_bytes(gguf(LLAMA_GGUF, dict([first])))
    (tmp_path / "mine" / names[1]).write_bytes(gguf({}, dict(rest)))
    found = gathered(tmp_path, "source: ./mine").checkpoints["./mine"]
    assert found.tensors == {name: Tensor(*kind) for name, kind in LLAMA_GGUF_TENSORS.items()}
    (tmp_path / "mine" / names[1]).unlink()
    assert names[1] in gathered(tmp_path, "source: ./mine").flaws["./mine"].message


def test_several_gguf_files_are_a_question(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / "mine" / name).write_bytes(gguf(LLAMA_GGUF, LLAMA_GGUF_TENSORS))
    assert gathered(tmp_path, "source: ./mine").flaws["./mine"].code == "LD356"


def test_safetensors_go_before_gguf(tmp_path: Path) -> None:
    checkpoint(tmp_path / "mine", {"model.safetensors": LLAMA})
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / "mine" / name).write_bytes(b"")
    facts = gathered(tmp_path, "source: ./mine")
    assert facts.checkpoints["./mine"].tensors == TENSORS
    assert "./mine" not in facts.flaws


def test_what_huggingface_hub_has_downloaded(tmp_path: Path, kept: Places) -> None:
    snapshot(kept, {"model.safetensors": LLAMA})
    found = gathered(tmp_path, f"source: {HUB_ID}", kept)
    assert found.checkpoints[HUB_ID].tensors == TENSORS
    assert "huggingface_hub's cache" in found.checkpoints[HUB_ID].source
    assert found.models[HUB_ID].heads == 8


def test_a_part_of_a_download_has_its_config_and_no_flaw(tmp_path: Path, kept: Places) -> None:
    first, *rest = LLAMA.items()
    names = [f"model-0000{part}-of-00002.safetensors" for part in (1, 2)]
    folder = snapshot(kept, {names[0]: dict([first]), names[1]: dict(rest)})
    (folder / names[1]).unlink()
    found = gathered(tmp_path, f"source: {HUB_ID}", kept)
    assert found.checkpoints[HUB_ID] == Model(
        HUB_ID, f"config.json of `{HUB_ID}` at {COMMIT[:12]}, from huggingface_hub's cache", CONFIG
    )
    assert not found.flaws


@pytest.mark.parametrize(("revision", "known"), [(COMMIT, True), ("v2", True), (OTHER, False), ("v3", False)])
def test_a_revision_is_what_is_looked_up(tmp_path: Path, kept: Places, revision: str, known: bool) -> None:
    snapshot(kept, {}, ref="v2")
    key = f"{HUB_ID}@{revision}"
    assert (key in gathered(tmp_path, f"source: {HUB_ID}, revision: {revision}", kept).checkpoints) is known


@pytest.mark.parametrize("revision", ["../../../secret", "a/../../b", "/etc", "a b", "x" * 300])
def test_a_revision_does_not_lead_out_of_the_cache(tmp_path: Path, kept: Places, revision: str) -> None:
    snapshot(kept, {})
    (tmp_path / "secret").write_text(COMMIT)
    assert hub_cache.find(kept, HUB_ID, revision) is None
    hub_cache.keep(kept, HUB_ID, revision, COMMIT, CONFIG, None)
    (file,) = (kept.own / "models--org--model").iterdir()
    assert len(file.name) < 100


def test_what_was_fetched_goes_before_what_was_downloaded(tmp_path: Path, kept: Places) -> None:
    snapshot(kept, {})
    hub_cache.keep(kept, HUB_ID, None, OTHER, CONFIG, TENSORS)
    found = gathered(tmp_path, f"source: {HUB_ID}", kept).checkpoints[HUB_ID]
    assert (found.config, found.tensors) == (CONFIG, TENSORS)
    assert found.source.endswith(f"at {OTHER[:12]}, from the Hub")


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"format": 2}', b"\xff", b"[" * 100_000])
def test_a_broken_entry_is_none(tmp_path: Path, kept: Places, text: bytes) -> None:
    hub_cache.keep(kept, HUB_ID, None, COMMIT, CONFIG, TENSORS)
    (file,) = (kept.own / "models--org--model").iterdir()
    file.write_bytes(text)
    assert HUB_ID not in gathered(tmp_path, f"source: {HUB_ID}", kept).checkpoints


def test_a_drafter_is_known_as_well_and_an_adapter_is_no_checkpoint(tmp_path: Path) -> None:
    for name in ("mine", "draft", "sql"):
        checkpoint(tmp_path / name, {"model.safetensors": LLAMA})
    facts = gathered(
        tmp_path,
        "source: ./mine, speculative: {method: eagle3, tokens: 3, model: ./draft},"
        " adapters: {sql: {source: ./sql, rank: 16}}",
    )
    assert set(facts.checkpoints) == {"./mine", "./draft"}


def test_the_environment_says_where_things_are_kept() -> None:
    assert places({"HOME": "/h"}) == Places(
        Path("/h/.cache/llmdeploy/hub"), Path("/h/.cache/huggingface/hub")
    )
    environ = {"HOME": "/h", "XDG_CACHE_HOME": "/x"}
    assert places(environ) == Places(Path("/x/llmdeploy/hub"), Path("/x/huggingface/hub"))
    assert places(environ | {"HF_HOME": "/f"}).hub == Path("/f/hub")
    assert places(environ | {"HF_HOME": "/f", "HF_HUB_CACHE": "~/c"}).hub == Path("/h/c")
    assert places(environ | {"LLMDEPLOY_CACHE": "/l"}).own == Path("/l/hub")


def test_a_lazy_mapping_asks_once_and_lacks_what_is_none() -> None:
    asked: list[str] = []

    def reader(key: str, value: int | None) -> Any:
        return lambda: asked.append(key) or value

    lazy = Lazy({"a": reader("a", 1), "b": reader("b", None)})
    assert asked == []
    assert (lazy["a"], lazy.get("b"), lazy.get("c"), dict(lazy), len(lazy)) == (1, None, None, {"a": 1}, 1)
    assert asked == ["a", "b"]


READ = Model("m", "config.json", {"num_attention_heads": 8, "text_config": {"hidden_size": 64}}, TENSORS)


def test_what_llm_yaml_states_fills_gaps_of_what_was_read() -> None:
    found = completed("m", READ, {"num_attention_heads": 4, "hidden_size": 1, "head_dim": 16})
    assert found is not None and found.tensors == TENSORS
    assert found.config == {"num_attention_heads": 8, "text_config": {"hidden_size": 64, "head_dim": 16}}
    assert "llm.yaml" in found.source
    assert completed("m", READ, {"num_attention_heads": 4}) == READ


def test_what_llm_yaml_states_wins_over_a_catalog_and_is_enough_alone() -> None:
    over = completed("m", None, {"num_attention_heads": 4}, READ)
    assert over is not None and over.config["num_attention_heads"] == 4
    alone = completed("m", None, {"num_attention_heads": 4})
    assert alone is not None and alone.config == {"num_attention_heads": 4}
    assert completed("m", None, {}) is None


def test_a_context_gives_the_checkpoint_of_a_model(tmp_path: Path) -> None:
    checkpoint(tmp_path / "mine", {"model.safetensors": LLAMA})
    spec = spec_of("source: ./mine, architecture: {head_dim: 8}")
    context = Context(spec, gather(spec, tmp_path, tmp_path), {}, dict[str, Engine](), {})
    found = context.checkpoint("chat")
    assert found is not None and found.config == {**CONFIG, "head_dim": 8}


def test_facts_of_a_cached_repository_are_what_checks_see(tmp_path: Path, kept: Places) -> None:
    snapshot(kept, {})
    text = (
        "version: 1\nname: demo\ngpus: {gpu: {type: l40s, count: 4}}\n"
        "models: {chat: {source: org/model, gpus: 3}}\nroutes: [{path: /chat, model: chat}]\ntargets: {docker: {}}\n"
    )
    assert "LD302" in [
        found.code
        for found in compile(text, facts=lambda spec: gather(spec, tmp_path, tmp_path, kept)).diagnostics
    ]

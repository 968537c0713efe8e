"""The catalog: complete, sourced, unambiguous, and equal to what its sources compile to."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from llmdeploy import catalog
from llmdeploy.catalog import configs, hub

ROOT = Path(__file__).parents[2]
CATALOG = ROOT / "llmdeploy" / "catalog"

#: The contract: docs and llm.yaml name GPUs by these.
IDS = [
    "t4",
    "l4",
    "a10g",
    "a40",
    "l40s",
    "rtx-3090",
    "rtx-4090",
    "rtx-5090",
    "rtx-pro-6000",
    "a100-sxm-40gb",
    "a100-sxm-80gb",
    "h100-sxm-80gb",
    "h100-pcie-80gb",
    "h200-sxm-141gb",
    "b200-sxm-180gb",
    "gb200",
    "gb10",
    "mi300x",
    "mi325x",
    "mi355x",
    "gaudi3",
    "arc-b70",
    "cpu",
]


def test_committed_json_is_what_the_sources_compile_to() -> None:
    """Nobody edits the compiled files by hand."""
    argv = [sys.executable, str(ROOT / "scripts" / "catalogs" / "compile.py"), "--check"]
    assert subprocess.run(argv, capture_output=True, text=True).stderr.strip() == ""


@pytest.mark.parametrize(
    "name",
    [
        *("gpus", "models", "gated", "meanings", "flag_changes", "behaviours", "telling_defaults"),
        *("quantization", "bentos", "configs"),
    ],
)
def test_committed_json_obeys_its_closed_schema(name: str) -> None:
    schema = json.loads((ROOT / "schemas" / "catalog" / f"{name}.schema.json").read_text())
    content = json.loads((CATALOG / f"{name}.json").read_text())
    jsonschema.validate(
        [content] if name == "bentos" else content, schema, cls=jsonschema.Draft202012Validator
    )


def test_every_gpu_of_the_contract_is_there_in_its_order() -> None:
    assert list(catalog.gpu_names()) == IDS


def test_no_spelling_names_two_gpus() -> None:
    """Ids, aliases, labels and nvidia-smi names share one lookup."""
    spelled: Counter[str] = Counter()
    for gpu in catalog.gpus():
        names = (gpu.id, *gpu.aliases, *gpu.node_product, *gpu.smi_names)
        spelled.update({name.lower().replace(" ", "-") for name in names})
    assert [name for name, count in spelled.items() if count > 1] == []


@pytest.mark.parametrize(
    ("spelling", "gpu_id"),
    [
        ("H100", "h100-sxm-80gb"),
        ("h100-80gb", "h100-sxm-80gb"),
        ("NVIDIA-H100-80GB-HBM3", "h100-sxm-80gb"),
        ("NVIDIA H100 PCIe", "h100-pcie-80gb"),
        ("A100-80GB", "a100-sxm-80gb"),
        ("A100_40GB", "a100-sxm-40gb"),
        ("L40S", "l40s"),
        ("4090", "rtx-4090"),
        ("rtx 4090", "rtx-4090"),
        ("MI300X", "mi300x"),
        ("CPU", "cpu"),
    ],
)
def test_common_spellings_name_the_gpu(spelling: str, gpu_id: str) -> None:
    gpu = catalog.gpu(spelling)
    assert gpu is not None and gpu.id == gpu_id


def test_what_is_not_a_gpu_is_none() -> None:
    assert catalog.gpu("h1000") is None
    assert catalog.gpu("") is None


def test_memory_is_what_the_driver_offers_not_what_the_box_says() -> None:
    """80 GB is never 80 GiB: a plan made with 80 would hand 0.8 GiB too much to the KV cache."""
    h100 = catalog.gpu("h100")
    assert h100 is not None and h100.memory_gib == 79.18
    assert [gpu.id for gpu in catalog.gpus() if gpu.memory_gib is None] == ["cpu"]


def test_nvidia_smi_names_are_taken_literally() -> None:
    h200 = catalog.gpu_by_smi("NVIDIA H200\n")
    assert h200 is not None and h200.id == "h200-sxm-141gb"
    assert catalog.gpu_by_smi("h200") is None


def test_every_accelerator_has_the_resource_of_its_vendor() -> None:
    resources = {gpu.vendor: gpu.resource for gpu in catalog.gpus()}
    assert resources == {
        "nvidia": "nvidia.com/gpu",
        "amd": "amd.com/gpu",
        "habana": "habana.ai/gaudi",
        "intel": "gpu.intel.com/xe",
        "cpu": None,
    }


def test_nothing_can_be_changed() -> None:
    gpu = catalog.gpus()[0]
    with pytest.raises(AttributeError, match="immutable"):
        gpu.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("hub_id", "heads", "kv_heads", "max_context", "quantization", "words"),
    [
        ("meta-llama/Llama-3.3-70B-Instruct", 64, 8, 131072, "plain", ()),
        ("meta-llama/Llama-3.1-8B-Instruct", 32, 8, 131072, "plain", ()),
        ("Qwen/Qwen3-8B", 32, 8, 40960, "plain", ()),
        ("mistralai/Mistral-7B-Instruct-v0.3", 32, 8, 32768, "plain", ()),
        ("qwen/qwen2.5-7b-instruct", 28, 4, 32768, "plain", ()),
        ("deepseek-ai/DeepSeek-R1", 128, 128, 163840, "fp8", ("fp8",)),
        ("openai/gpt-oss-20b", 64, 8, 131072, "mxfp4", ("mxfp4",)),
        ("moonshotai/Kimi-K2.5", 64, 64, 262144, "compressed-tensors/w4a16", ("int4",)),
        ("nvidia/GLM-5.1-NVFP4", 64, 64, 202752, "modelopt/nvfp4", ("nvfp4",)),
        ("nvidia/Qwen3.6-27B-NVFP4", 24, 4, 262144, "modelopt/mixed", ()),
    ],
)
def test_models_that_users_deploy_are_known(
    hub_id: str, heads: int, kv_heads: int, max_context: int, quantization: str, words: tuple[str, ...]
) -> None:
    facts = catalog.model(hub_id)
    assert facts is not None
    found = (facts.heads, facts.kv_heads, facts.max_context, facts.quantization, facts.words)
    assert found == (heads, kv_heads, max_context, quantization, words)


def test_a_dense_model_has_no_experts_and_a_mixture_some() -> None:
    """None would say that nothing is known, and a check that rests on it would keep quiet."""
    dense, mixture = catalog.model("Qwen/Qwen3-8B"), catalog.model("Qwen/Qwen3-30B-A3B")
    assert dense and mixture and (dense.experts, mixture.experts) == (0, 128)


def ids(name: str) -> list[str]:
    return [row["id"] for row in json.loads((CATALOG / f"{name}.json").read_text())]


def test_a_checkpoint_states_what_it_is_like_says_but_for_its_own_words() -> None:
    base, copy = configs.config("Qwen/Qwen3-8B"), configs.config("RedHatAI/Qwen3-8B-FP8-dynamic")
    assert base is not None and copy is not None
    differs = {key for key in copy.config if copy.config[key] != base.config.get(key)}
    assert differs == {"quantization_config"} and base.config.keys() <= copy.config.keys()
    assert copy.source.startswith(base.source) and "RedHatAI" in copy.source
    facts = catalog.model("redhatai/qwen3-8b-fp8-dynamic")
    assert facts is not None and (facts.heads, facts.words) == (32, ("fp8",))


def test_every_checkpoint_is_found_however_its_id_is_written() -> None:
    assert ids("models") == ids("configs")
    for name in ids("models"):
        facts, stated = catalog.model(name.upper()), configs.config(name.swapcase())
        assert facts is not None and stated is not None and (facts.id, stated.id) == (name, name)


@pytest.mark.parametrize("hub_id", ["Qwen/Qwen3", 'Qwen/Qwen3-8B"', "", "Qwen/Qwen3-8B\udc80", "qwen/ünwen"])
def test_what_is_no_id_of_the_catalog_is_none(hub_id: str) -> None:
    assert catalog.model(hub_id) is None and configs.config(hub_id) is None


def test_one_checkpoint_is_read_without_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every start of the compiler pays for it: 330 KB would be two milliseconds."""
    read: list[int] = []

    class Counting:
        encode = staticmethod(msgspec.json.encode)

        @staticmethod
        def decode(text: bytes) -> Any:
            read.append(len(text))
            return msgspec.json.decode(text)

    monkeypatch.setattr("llmdeploy.catalog.rows.json", Counting)
    assert hub.model.__wrapped__("nvidia/DeepSeek-R1-FP4") is not None
    assert configs.config.__wrapped__("nvidia/DeepSeek-R1-FP4") is not None
    assert len(read) == 4 and sum(read) < 5000


def test_every_fact_has_a_source() -> None:
    for row in (*catalog.gpus(), *catalog.models().values()):
        assert len(row.source) > 10, row.id


@pytest.mark.parametrize(
    ("hub_id", "expected"),
    [
        ("meta-llama/Llama-3.3-70B-Instruct", True),
        ("META-LLAMA/llama-3.1-8b", True),
        ("google/gemma-3-27b-it", True),
        ("mistralai/Mistral-7B-Instruct-v0.3", True),
        ("Qwen/Qwen3-8B", False),
        ("someone/meta-llama", False),
    ],
)
def test_gated_repositories_are_known_by_pattern(hub_id: str, expected: bool) -> None:
    assert catalog.gated(hub_id) is expected


@pytest.mark.parametrize("tag", ["llama3.3:70b", "llama3.3:70b-instruct-c968", "Llama3.3:70B"])
def test_a_bento_answers_to_its_alias_and_to_its_full_tag(tag: str) -> None:
    bento = catalog.bento(tag)
    assert bento is not None
    assert bento.hub_id == "meta-llama/Llama-3.3-70B-Instruct"
    assert (bento.gpu_type, bento.gpus, bento.tensor_parallel) == ("nvidia-a100-80gb", 2, 2)
    assert (bento.vllm, bento.bentoml, bento.max_model_len) == ("0.8.5", "1.4.12", 4096)
    assert bento.args["max_model_len"] == catalog.BentoArg("max_model_len", "int", 4096)
    assert "HF_TOKEN" in bento.env


def test_what_is_not_a_bento_is_none() -> None:
    assert catalog.bento("llama3.3") is None
    assert catalog.bento("meta-llama/Llama-3.3-70B-Instruct") is None


def test_bentos_are_pinned_to_one_commit_and_their_tags_are_unique() -> None:
    known = catalog.bentos()
    assert len(known.commit) == 40
    tags = Counter(tag for bento in known.all for tag in (bento.tag, *bento.aliases))
    assert [tag for tag, count in tags.items() if count > 1] == []


def test_the_catalog_is_read_on_first_use_and_imports_nothing_else_of_llmdeploy() -> None:
    code = (
        "import sys, llmdeploy.catalog as c, llmdeploy.catalog.hardware as h;"
        "ours = [m for m in sys.modules if m.startswith('llmdeploy.')];"
        "print([m for m in ours if not m.startswith('llmdeploy.catalog')], h.gpus.cache_info().misses)"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT).strip() == "[] 0"

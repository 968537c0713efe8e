"""A config.json that is copied under `architecture` gives the figures that it gives in the model's directory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec import to_builtins

from llmdeploy import compile
from llmdeploy.catalog.configs import config
from llmdeploy.compiler import Result
from llmdeploy.engines.vllm.memory import memory as of_vllm
from llmdeploy.facts.config import facts
from llmdeploy.facts.gather import gather
from llmdeploy.memory.model import Card, Model, Question
from llmdeploy.spec.architecture import Architecture, QuantizationConfig
from llmdeploy.spec.config_keys import FIELDS, LANGUAGE, QUANTIZATION, TOWER
from llmdeploy.spec.unread import UNREAD, UNREAD_OF_QUANTIZATION

SHAPES = [
    "meta-llama/Llama-3.1-8B-Instruct",
    "Qwen/Qwen2.5-32B-Instruct-AWQ",
    "RedHatAI/Llama-3.3-70B-Instruct-quantized.w4a16",
    "Qwen/Qwen3-30B-A3B-FP8",
    "mistralai/Mixtral-8x7B-Instruct-v0.1",
    "openai/gpt-oss-120b",
    "deepseek-ai/DeepSeek-R1",
    "deepseek-ai/DeepSeek-V3.2",
    "zai-org/GLM-5-FP8",
    "google/gemma-2-27b-it",
    "google/gemma-3-27b-it",
    "google/gemma-4-26B-A4B",
    "Qwen/Qwen3-Next-80B-A3B-Instruct",
    "Qwen/Qwen3.5-27B",
    "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
    "Qwen/Qwen3-VL-8B-Instruct",
    "mistralai/Mistral-Small-3.1-24B-Instruct-2503",
    "meta-llama/Llama-4-Scout-17B-16E-Instruct",
    "moonshotai/Kimi-VL-A3B-Instruct",
    "XiaomiMiMo/MiMo-V2-Flash",
]
QWEN_VL: dict[str, Any] = {
    "architectures": ["Qwen2_5_VLForConditionalGeneration"],
    "model_type": "qwen2_5_vl",
    "torch_dtype": "bfloat16",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "num_hidden_layers": 28,
    "vocab_size": 152064,
    "max_position_embeddings": 128000,
    "tie_word_embeddings": False,
    "sliding_window": 32768,
    "use_sliding_window": False,
    "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
    "vision_config": {
        "depth": 32,
        "hidden_size": 1280,
        "intermediate_size": 3420,
        "num_heads": 16,
        "out_hidden_size": 3584,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "in_chans": 3,
    },
}
"""Of Qwen/Qwen2.5-VL-7B-Instruct, which the catalog does not have."""


def compiled(directory: Path, **model: Any) -> Result:
    chat = {"context": 8192, "gpus": {"pool": "gpu", "count": 4}, **model}
    data = {
        "version": 1,
        "name": "demo",
        "gpus": {"gpu": {"type": "h200-sxm-141gb", "count": 8}},
        "models": {"chat": chat},
        "routes": [{"path": "/chat", "model": "chat"}],
    }
    return compile(
        yaml.safe_dump(data), ["docker"], lambda spec: gather(spec, directory, directory / "out"), emit=False
    )


def ledger(result: Result) -> Any:
    assert result.plan, [str(found.message) for found in result.diagnostics]
    (service,) = result.plan.services
    assert service.memory
    return {**to_builtins(service.memory), "notes": ()}


def in_both_places(stated: dict[str, Any], directory: Path) -> tuple[Any, Any]:
    (directory / "mine").mkdir()
    (directory / "mine" / "config.json").write_text(json.dumps(stated))
    read = compiled(directory, source="./mine")
    pasted = compiled(directory, source="example/unheard-of", architecture=stated)
    errors = [found.message for found in pasted.diagnostics if found.code.startswith("LD1")]
    assert not errors
    return ledger(read), ledger(pasted)


@pytest.mark.parametrize("name", SHAPES)
def test_a_config_json_gives_the_same_figures_where_it_is_copied(name: str, tmp_path: Path) -> None:
    row = config(name)
    assert row
    read, pasted = in_both_places(dict(row.config), tmp_path)
    assert pasted == read
    assert read["verdict"] != "UNKNOWN"


def test_a_whole_one_with_keys_that_nothing_reads_does_so_too(tmp_path: Path) -> None:
    stated = QWEN_VL | {
        "head_dim": None,
        "rms_norm_eps": 1e-6,
        "bos_token_id": 151643,
        "quantization_config": None,
    }
    read, pasted = in_both_places(stated, tmp_path)
    assert pasted == read
    assert any("vision tower" in line["rule"] for line in pasted["ranks"][0]["lines"])


def test_one_with_a_text_config_does_so_too(tmp_path: Path) -> None:
    row = config("google/gemma-3-27b-it")
    assert row
    of_whole = ("architectures", "vision_config", "torch_dtype")
    text = {key: value for key, value in row.config.items() if key not in of_whole}
    whole = {key: row.config[key] for key in of_whole if key in row.config}
    read, pasted = in_both_places({**whole, "model_type": "gemma3", "text_config": text}, tmp_path)
    assert pasted == read
    assert read["verdict"] != "UNKNOWN"


@pytest.mark.parametrize("name", ["Qwen/Qwen3-Next-80B-A3B-Instruct", "google/gemma-3-27b-it"])
def test_a_copy_of_what_the_catalog_has_changes_nothing(name: str, tmp_path: Path) -> None:
    row = config(name)
    assert row
    alone = compiled(tmp_path, source=name)
    twice = compiled(tmp_path, source=name, architecture=dict(row.config))
    assert ledger(twice) == ledger(alone)
    assert "LD557" not in {found.code for found in twice.diagnostics}


def test_what_is_stated_over_the_catalog_is_said(tmp_path: Path) -> None:
    result = compiled(
        tmp_path, source="Qwen/Qwen3-8B", architecture={"num_hidden_layers": 4, "hidden_size": 4096}
    )
    assert [found.path[-1] for found in result.diagnostics if found.code == "LD557"] == ["num_hidden_layers"]
    assert result.plan and (memory := result.plan.services[0].memory)
    assert any(
        note.endswith("beside what is known of the model: `num_hidden_layers`") for note in memory.notes
    )


def test_what_is_stated_alone_is_not_said_to_be_of_a_config_json(tmp_path: Path) -> None:
    result = compiled(tmp_path, source="example/unheard-of", architecture=QWEN_VL)
    assert result.plan and (memory := result.plan.services[0].memory)
    assert any("what llm.yaml states under `architecture`" in note for note in memory.notes)


def test_what_nothing_rests_on_is_said_in_one_note(tmp_path: Path) -> None:
    result = compiled(tmp_path, source="example/unheard-of", architecture=QWEN_VL)
    (note,) = (found for found in result.diagnostics if found.code == "LD555")
    assert "`use_sliding_window`" in note.message and "`vision_config.in_chans`" in note.message


@pytest.mark.parametrize(
    ("stated", "code", "help"),
    [
        ({"num_hiden_layers": 3}, "LD101", "did you mean `num_hidden_layers`?"),
        ({"linear_num_value_head": 3}, "LD101", "did you mean `linear_num_value_heads`?"),
        ({"depth": 3}, "LD101", "`depth` belongs under `vision_config`"),
        ({"gpu_memory": 3}, "LD101", "remove it"),
        ({"vision_config": {"dept": 3}}, "LD101", "did you mean `depth`?"),
        ({"text_config": {"hiden_size": 3}}, "LD101", "did you mean `hidden_size`?"),
        ({"full_attention_interval": "4"}, "LD103", "copy it"),
        ({"attn_output_gate": 1}, "LD103", "copy it"),
        ({"text_config": {"hidden_size": True}}, "LD103", "copy it"),
        ({"index_n_heads": -1}, "LD104", "copy it"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": "4"}}, "LD103", "copy it"),
        ({"quantization_config": {"w_bit": [4]}}, "LD103", "copy it"),
    ],
)
def test_a_key_that_is_misspelt_or_misstated_is_an_error(
    stated: dict[str, Any], code: str, help: str, tmp_path: Path
) -> None:
    result = compiled(tmp_path, source="example/unheard-of", architecture=stated)
    (found,) = (each for each in result.diagnostics if each.severity == "error")
    assert found.code == code and help in (found.help or "")


class Watched(dict[str, Any]):
    """Remembers which keys were asked for."""

    def __init__(self, stated: dict[str, Any], asked: set[str]) -> None:
        super().__init__(
            {
                key: Watched(value, asked) if key.endswith("_config") else value
                for key, value in stated.items()
            }
        )
        self.asked = asked

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self.asked.add(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key))
        return super().__contains__(key)


def without_each(stated: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a config.json, and what is left of it without each of its keys: of several names all are then asked for."""
    yield stated
    for key, value in stated.items():
        left = {name: value for name, value in stated.items() if name != key}
        yield left
        if key.endswith("_config") and isinstance(value, dict):
            yield from ({**left, key: part} for part in without_each(value))


def test_every_key_that_is_taken_is_read_and_none_of_those_that_are_named_idle() -> None:
    asked: set[str] = set()
    card = Card("nvidia", 141.0, "h200-sxm-141gb", "H200", "9.0", "hopper")
    rows = [row.config for name in SHAPES if (row := config(name))]
    granite = {
        "architectures": ["GraniteMoeHybridForCausalLM"],
        "layer_types": ["mamba", "attention"],
        **dict.fromkeys(("num_hidden_layers", "num_attention_heads", "num_key_value_heads"), 2),
        **dict.fromkeys(("hidden_size", "vocab_size", "intermediate_size", "max_position_embeddings"), 512),
        **dict.fromkeys(("mamba_n_heads", "mamba_d_head", "mamba_d_state", "mamba_n_groups"), 8),
    }
    modelopt = {**QWEN_VL, "quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8"}}
    bits = {**QWEN_VL, "quantization_config": {"quant_method": "bitsandbytes"}}
    falcon = {**granite, "architectures": ["FalconForCausalLM"], "multi_query": True}
    for stated in [
        each for row in (*rows, QWEN_VL, granite, modelopt, bits, falcon) for each in without_each(dict(row))
    ]:
        watched = Watched(stated, asked)
        of_vllm(Question("vllm", "0.33.0", Model("m", "", watched), card))
        facts(watched, "m")
    taken = {
        *LANGUAGE,
        *FIELDS,
        *TOWER,
        *QUANTIZATION,
        *Architecture.model_fields,
        *QuantizationConfig.model_fields,
    }
    assert taken - asked == set()
    assert UNREAD & asked == set()
    assert UNREAD_OF_QUANTIZATION & asked == set()

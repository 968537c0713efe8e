"""A model's directory without weights: a config.json of the catalog's shape, and a tokenizer of bytes.

vLLM fills the weights itself (`--load-format dummy`), so nothing is downloaded and nothing of their size is written.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from llmdeploy.catalog import configs

ROOT = Path(__file__).resolve().parents[2]
# What transformers calls the configuration of a class, where the catalog's source left it out.
_TYPES = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "mistral",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "Qwen3MoeForCausalLM": "qwen3_moe",
    "Gemma3ForCausalLM": "gemma3_text",
    "GptOssForCausalLM": "gpt_oss",
}
_OURS = ("mlp_gated",)
"""Facts of the catalog that no config.json states."""


def config(
    shape: str, architecture: str | None = None, changed: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return a config.json for a row of the catalog. With `architecture`, of that class, without a tower.

    `changed` is what a rehearsal makes smaller.
    """
    row = configs.config(shape)
    if row is None:
        raise LookupError(f"`{shape}` is no row of llmdeploy/catalog/configs.json")
    # What a row has not is not there: left out, a class would put its own in.
    stated = {"sliding_window": None, **{key: value for key, value in row.config.items() if key not in _OURS}}
    if architecture is not None:
        stated.pop("vision_config", None)
        stated["architectures"] = [architecture]
    kind = _TYPES[stated["architectures"][0]]
    # The tokenizer's: its first two tokens begin and end a text.
    tokens = {"bos_token_id": 0, "eos_token_id": 1}
    return {"torch_dtype": "bfloat16", **stated, "model_type": kind, **tokens, **(changed or {})}


def write(folder: Path, stated: dict[str, Any], tokenizer: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for file in tokenizer.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    (folder / "config.json").write_text(json.dumps(stated, indent=1))
    return folder


def tokenizer(engine: Path, folder: Path) -> Path:
    """Take the tokenizer of the tests' tiny model, made by the Python beside the engine."""
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as made:
        program = ROOT / "scripts/make_tiny_model.py"
        subprocess.run([engine / "python", program, made], check=True, timeout=120)
        for file in Path(made).iterdir():
            if not file.name.startswith("model") and file.name not in {
                "config.json",
                "generation_config.json",
            }:
                (folder / file.name).write_bytes(file.read_bytes())
    return folder


def adapter(engine: Path, model: Path, folder: Path, rank: int) -> None:
    """Make a LoRA adapter of random weights, by the Python beside the engine."""
    program = ROOT / "scripts/make_tiny_adapter.py"
    subprocess.run([engine / "python", program, model, folder, "--rank", str(rank)], check=True, timeout=120)

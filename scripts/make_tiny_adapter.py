#!/usr/bin/env python3
"""Make a LoRA adapter with random weights for a model that make_tiny_model.py made.

.tools/vllm-0.32/bin/python scripts/make_tiny_adapter.py MODEL DIR --rank 8
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

MODULES = ("q_proj", "v_proj")


def matrices(config: dict[str, int], rank: int) -> dict[str, torch.Tensor]:
    """Return the two matrices of each adapted projection, by the names that PEFT gives them."""
    hidden = config["hidden_size"]
    head = config.get("head_dim") or hidden // config["num_attention_heads"]
    outputs = {
        "q_proj": config["num_attention_heads"] * head,
        "v_proj": config["num_key_value_heads"] * head,
    }
    torch.manual_seed(1)
    made = {}
    for layer in range(config["num_hidden_layers"]):
        for module in MODULES:
            name = f"base_model.model.model.layers.{layer}.self_attn.{module}"
            made[f"{name}.lora_A.weight"] = torch.randn(rank, hidden).to(torch.bfloat16)
            made[f"{name}.lora_B.weight"] = torch.randn(outputs[module], rank).to(torch.bfloat16)
    return made


def main() -> int:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("model", type=Path)
    cli.add_argument("folder", type=Path)
    cli.add_argument("--rank", type=int, default=8)
    options = cli.parse_args()
    config = json.loads((options.model / "config.json").read_text())
    options.folder.mkdir(parents=True, exist_ok=True)
    save_file(matrices(config, options.rank), options.folder / "adapter_model.safetensors")
    stated = {
        "peft_type": "LORA",
        "r": options.rank,
        "lora_alpha": 2 * options.rank,
        "target_modules": list(MODULES),
        "bias": "none",
        "base_model_name_or_path": str(options.model),
        "task_type": "CAUSAL_LM",
    }
    (options.folder / "adapter_config.json").write_text(json.dumps(stated, indent=1))
    for file in options.folder.iterdir():
        file.chmod(0o644)
    return 0


if __name__ == "__main__":
    sys.exit(main())

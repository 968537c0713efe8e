"""Run by an engine's own Python: the names and shapes of what transformers makes of a config.json, without memory for it.

python inside_transformers.py < [{"architectures": ["LlamaForCausalLM"], ...}, ...]    # an object of shapes a line
"""

from __future__ import annotations

import json
import sys

import torch
import transformers

for config in json.load(sys.stdin):
    kind = getattr(transformers, config["architectures"][0])
    known = kind.config_class
    stated = {key: value for key, value in config.items() if key not in ("model_type", "vision_config")}
    if "text_config" in (getattr(known, "sub_configs", None) or {}):
        stated = {"text_config": stated, "vision_config": config.get("vision_config")}
    with torch.device("meta"):
        made = kind(known(**stated))
    print(json.dumps({name: list(tensor.shape) for name, tensor in made.state_dict().items()}), flush=True)

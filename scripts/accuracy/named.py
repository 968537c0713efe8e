"""Which checkpoint of the catalog a recorded start-up means, and how its weights are quantized."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from points import Point

from llmdeploy.catalog import configs
from llmdeploy.memory.model import Model

Row = Mapping[str, Any]
HERE = Path(__file__).resolve().parent
QUANTIZED = ("quantization_config", "hf_quant_config")
OWNERS = (
    *("meta-llama", "qwen", "mistralai", "google", "deepseek-ai", "microsoft"),
    *("ibm-granite", "zai-org", "openai", "moonshotai", "minimaxai"),
)


def _compressed(**weights: Any) -> dict[str, Any]:
    group = {"targets": ["Linear"], "weights": weights}
    return {"quant_method": "compressed-tensors", "ignore": ["lm_head"], "config_groups": {"group_0": group}}


# What a point calls a scheme -> the quantization_config that such a checkpoint has.
SCHEMES: dict[str, dict[str, Any]] = {
    "fp8-ct": _compressed(num_bits=8, type="float"),
    "int8-ct": _compressed(num_bits=8, type="int"),
    "w4a16": _compressed(num_bits=4, type="int", group_size=128),
    "nvfp4": _compressed(num_bits=4, type="float", group_size=16),
    "fp8-block": {"quant_method": "fp8", "weight_block_size": [128, 128]},
    "awq": {"quant_method": "awq", "bits": 4, "group_size": 128},
    "gptq": {"quant_method": "gptq", "bits": 4, "group_size": 128},
    "auto-round": {"quant_method": "auto-round", "bits": 4, "group_size": 128},
    "gguf": {"quant_method": "gguf"},
    "bitsandbytes": {"quant_method": "bitsandbytes", "load_in_4bit": True},
}
WORDS = {
    "w8a8-int8": "int8-ct",
    "int8": "int8-ct",
    "int4-ct": "w4a16",
    "auto_round-int4": "auto-round",
    "gptq_marlin": "gptq",
    "awq_marlin": "awq",
    "modelopt_fp4": "nvfp4",
}
PLAIN = ("None", "none", "bf16", "bfloat16", "fp16", "float16")


class UnstatedError(Exception):
    """What a point does not say, or a model that the catalog does not have."""


def model(point: Point) -> Model:
    """Return the model of a point: by its name, by its Hub id where the name is a nickname."""
    names = [name for name in (point.model, point.hfmodel) if name]
    for name in names:
        if (found := _aliased(name, point.quant) or _listed(name, point.quant)) is not None:
            return found
    for name in names:
        if (found := _copied(name, point.quant)) is not None:
            return found
    raise UnstatedError(f"model: `{names[0]}` is not in the catalog")


def known(point: Point) -> bool:
    """Tell whether the model is one of the catalog, or of the aliases."""
    try:
        model(point)
    except UnstatedError:
        return False
    return True


def _aliased(name: str, quant: str | None) -> Model | None:
    """Look up a nickname. Its `quantization` replaces that of the catalog; `none` leaves it to the point."""
    alias = _aliases().get(name.lower())
    if alias is None:
        return None
    stated = configs.config(alias["id"])
    assert stated is not None, alias
    config = {key: value for key, value in stated.config.items() if key not in alias.get("without", ())}
    config |= alias.get("config", {})
    scheme = alias.get("quantization")
    if scheme is not None:
        config = {key: value for key, value in config.items() if key not in QUANTIZED}
        quant = quant if scheme == "none" else scheme
    return Model(name, stated.source, _with(config, quant))


def _listed(name: str, quant: str | None) -> Model | None:
    stated = configs.config(name)
    return Model(name, stated.source, _with(stated.config, quant)) if stated is not None else None


def _copied(name: str, quant: str | None) -> Model | None:
    """Find the model of which this is a copy, under another owner or with a scheme at the end of its name."""
    for row in _names()["endings"]:
        if name.lower().endswith(row["ending"].lower()) and (base := _base(name[: -len(row["ending"])])):
            # The ending says what a bare `fp8` or an engine's kernel (gptq_marlin) leaves open.
            said = WORDS.get(str(quant), str(quant)) if not str(quant).endswith("_marlin") else ""
            return Model(
                name, base.source, _with(base.config, said if said in SCHEMES else row["quantization"])
            )
    base = _base(name)
    return Model(name, base.source, _with(base.config, quant)) if base is not None else None


def _base(name: str) -> Model | None:
    """Find a plain checkpoint by its name behind the owner's, with or without `Meta-`."""
    bare = name.split("/")[-1].lower()
    forms = dict.fromkeys((bare, bare.removeprefix("meta-"), f"meta-{bare}"))
    for form in (name, *(f"{owner}/{form}" for owner in OWNERS for form in forms)):
        found = _aliased(form, None) or _listed(form, None)
        if found is not None and not any(key in found.config for key in QUANTIZED):
            return found
    return None


def _with(config: Row, quant: str | None) -> Row:
    """Add the scheme that a point names to a plain config; `fp8` alone is what the engine makes while it loads."""
    word = WORDS.get(str(quant), str(quant))
    if word in (*PLAIN, "fp8") or any(config.get(key) for key in QUANTIZED):
        return config
    if word not in SCHEMES:
        raise UnstatedError(f"quantization: `{word}` says too little")
    return {**config, "quantization_config": SCHEMES[word]}


@cache
def _names() -> Any:
    return yaml.safe_load((HERE / "models.yaml").read_text(encoding="utf-8"))


@cache
def _aliases() -> dict[str, Row]:
    return {row["name"].lower(): row for row in _names()["aliases"]}

"""A recorded start-up as the question that llmdeploy would have asked about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from llmdeploy.catalog import configs, hardware
from llmdeploy.memory.model import Adapters, Card, Drafter, Model, Question, Split

HERE = Path(__file__).resolve().parent
Row = Mapping[str, Any]

# What a point calls a scheme -> the quantization_config that such a checkpoint has. `lm_head` is never quantized.
_GROUPS = {"targets": ["Linear"]}
SCHEMES: dict[str, dict[str, Any]] = {
    "fp8-ct": {
        "quant_method": "compressed-tensors",
        "ignore": ["lm_head"],
        "config_groups": {"g": {**_GROUPS, "weights": {"num_bits": 8, "type": "float"}}},
    },
    "int8-ct": {
        "quant_method": "compressed-tensors",
        "ignore": ["lm_head"],
        "config_groups": {"g": {**_GROUPS, "weights": {"num_bits": 8, "type": "int"}}},
    },
    "w4a16": {
        "quant_method": "compressed-tensors",
        "ignore": ["lm_head"],
        "config_groups": {"g": {**_GROUPS, "weights": {"num_bits": 4, "type": "int", "group_size": 128}}},
    },
    "nvfp4": {
        "quant_method": "compressed-tensors",
        "ignore": ["lm_head"],
        "config_groups": {"g": {**_GROUPS, "weights": {"num_bits": 4, "type": "float", "group_size": 16}}},
    },
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
}


class UnstatedError(Exception):
    """What a point does not say, or a model that the catalog does not have."""


def question(row: Row, on: Card) -> Question:
    """Return the question; None of its settings is taken from what the engine printed."""
    if row.get("tp") is None:
        raise UnstatedError("tp: the point does not state it")
    split = Split(row["tp"], row.get("pp") or 1, row.get("dp") or 1, bool(row.get("ep")), row.get("dcp") or 1)
    return Question(
        engine=str(row["engine"]),
        version=version(row.get("version")),
        model=model(row),
        card=on,
        split=split,
        fraction=row.get("util") if row["engine"] != "sglang" else row.get("mem_fraction"),
        context=row.get("max_model_len"),
        concurrency=row.get("max_num_seqs"),
        batch_tokens=row.get("mnbt"),
        block_size=row.get("block_size"),
        dtype=row.get("dtype") or "auto",
        quantization=_runtime(row),
        kv_dtype=row.get("kv_dtype") or "auto",
        eager=bool(row.get("eager")),
        adapters=_adapters(row.get("lora")),
        drafter=_drafter(row.get("spec")),
        options=_options(row),
        used_gib=_used(row),
    )


def version(stated: Any) -> str | None:
    """Read a release. Of a span (`0.10-0.16`, `0.1x`) the last is taken, whose rules are its; words say nothing."""
    if stated is None:
        return None
    stated = re.sub(r"(?<=\.\d)x", "9", str(stated))
    found = re.findall(r"(?<![\d.])\d+\.\d+(?:\.\d+)?(?![\dx])", str(stated))
    return found[-1] if found else None


def card(row: Row) -> Card:
    name = str(row.get("gpu") or "unknown")
    total = row.get("gpu_total_gib")
    known = _cards().get(re.sub(r" \(shared\)$", "", name))
    if known is not None and "id" in known:
        gpu = hardware.gpu(known["id"])
        assert gpu is not None and gpu.memory_gib is not None
        return Card(gpu.vendor, float(total or gpu.memory_gib), gpu.id, gpu.name, gpu.capability, gpu.arch)
    if (gpu := hardware.gpu(name)) is not None and gpu.memory_gib is not None:
        return Card(gpu.vendor, float(total or gpu.memory_gib), gpu.id, gpu.name, gpu.capability, gpu.arch)
    if known is not None:
        return Card(
            known.get("vendor", "nvidia"), float(total or known["gib"]), None, name, known.get("capability")
        )
    if total:
        return Card("nvidia", float(total), None, name)
    raise UnstatedError(f"card: `{name}` is no card with a known memory")


def model(row: Row) -> Model:
    names = [str(row[key]) for key in ("model", "hfmodel") if row.get(key)]
    for name in names:
        if (found := _model(name, row.get("quant"))) is not None:
            return found
    raise UnstatedError(f"model: `{names[0]}` is not in the catalog")


def known(row: Row) -> bool:
    """Tell whether the model is one of the catalog, or of the aliases."""
    try:
        model(row)
    except UnstatedError:
        return False
    return True


def _model(name: str, quant: Any) -> Model | None:
    alias = _aliases().get(name.lower())
    if alias is not None:
        known = configs.config(alias["id"])
        assert known is not None, alias
        scheme = alias.get("quantization")
        config = {key: value for key, value in known.config.items() if key not in alias.get("without", ())}
        config |= alias.get("config", {})
        if scheme is not None:
            config = {k: v for k, v in config.items() if k not in ("quantization_config", "hf_quant_config")}
            config |= _quantized(config, quant if scheme == "none" else scheme)
        elif "quantization_config" not in config and "hf_quant_config" not in config:
            config |= _quantized(config, quant)
        return Model(name, known.source, config)
    known = configs.config(name)
    if known is not None:
        own = "quantization_config" in known.config or "hf_quant_config" in known.config
        added = {} if own or quant == "fp8" else _quantized(known.config, quant)
        return Model(name, known.source, {**known.config, **added})
    for row in _read("models.yaml")["endings"]:
        if name.lower().endswith(row["ending"].lower()):
            base = _base(name[: -len(row["ending"])])
            # The ending says what a bare `fp8` or an engine's kernel (gptq_marlin) leaves open.
            said = WORDS.get(str(quant), str(quant)) if not str(quant).endswith("_marlin") else ""
            word = said if said in SCHEMES else row["quantization"]
            if base is not None:
                return Model(name, base.source, {**base.config, **_quantized(base.config, word)})
    return None


def _base(name: str) -> configs.Stated | None:
    """Find the model of which this is a copy: by its name behind the owner's, with or without `Meta-`."""
    bare = name.split("/")[-1].lower()
    for owner in (
        "",
        "meta-llama/",
        "qwen/",
        "mistralai/",
        "google/",
        "deepseek-ai/",
        "microsoft/",
        "ibm-granite/",
        "zai-org/",
        "openai/",
        "moonshotai/",
        "minimaxai/",
    ):
        for form in (bare, bare.removeprefix("meta-"), f"meta-{bare}"):
            alias = _aliases().get(owner + form)
            if (
                known := configs.config(alias["id"] if alias else owner + form)
            ) is not None and "quantization_config" not in known.config:
                return configs.Stated(
                    known.id, known.source, {**known.config, **(alias or {}).get("config", {})}
                )
    return None


def _quantized(config: Row, word: Any) -> dict[str, Any]:
    """Return the quantization_config that a scheme's name stands for; a vision tower is not quantized."""
    word = WORDS.get(str(word), str(word))
    if word in ("None", "none", "compressed-tensors", "mxfp4"):
        return {}
    if word == "fp8":
        return {}
    if word not in SCHEMES:
        raise UnstatedError(f"quantization: `{word}` says too little")
    return {"quantization_config": SCHEMES[word]}


def _runtime(row: Row) -> str | None:
    """`fp8` over a checkpoint that is plain is what the engine made of it."""
    if row.get("quant") != "fp8":
        return None
    known = model(row).config
    return None if known.get("quantization_config") or known.get("hf_quant_config") else "fp8"


def _adapters(stated: Any) -> Adapters | None:
    numbers = re.findall(r"\d+", str(stated or ""))
    return Adapters(int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else None


def _drafter(stated: Any) -> Drafter | None:
    found = re.fullmatch(r"([a-z]+\d?)[-_]?(\d+)", str(stated or ""))
    return Drafter(found[1], int(found[2])) if found else None


def _options(row: Row) -> dict[str, Any] | None:
    found = {"moe-backend": row.get("moe_backend"), "mamba-ssm-cache-dtype": row.get("mamba_ssm")}
    return {key: value for key, value in found.items() if value is not None} or None


def _used(row: Row) -> float:
    """What others hold on the card: what is not free at the start, beyond the 2.1 GiB that an engine's own libraries take."""
    free, total = row.get("init_free_gib"), row.get("gpu_total_gib")
    if free is None or total is None:
        return 0.0
    return max(0.0, total - free) if total - free > 2.1 else 0.0


@cache
def _read(name: str) -> Any:
    return yaml.safe_load((HERE / name).read_text(encoding="utf-8"))


@cache
def _aliases() -> dict[str, Row]:
    return {row["name"].lower(): row for row in _read("models.yaml")["aliases"]}


@cache
def _cards() -> dict[str, Row]:
    return {row["name"]: row for row in _read("cards.yaml")["cards"]}

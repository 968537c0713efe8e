"""A recorded start-up as the question that llmdeploy would have asked about it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from named import UnstatedError, model

from llmdeploy.catalog import hardware
from llmdeploy.memory.model import Adapters, Card, Drafter, Question, Split

HERE = Path(__file__).resolve().parent
Row = Mapping[str, Any]


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
    known = _cards().get(name, {})
    gpu = hardware.gpu(known.get("id", name))
    if gpu is not None and gpu.memory_gib is not None:
        return Card(gpu.vendor, float(total or gpu.memory_gib), gpu.id, gpu.name, gpu.capability, gpu.arch)
    gib = total or known.get("gib")
    if not gib:
        raise UnstatedError(f"card: `{name}` is no card with a known memory")
    return Card(known.get("vendor", "nvidia"), float(gib), None, name, known.get("capability"))


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
def _cards() -> dict[str, Row]:
    rows = yaml.safe_load((HERE / "cards.yaml").read_text(encoding="utf-8"))["cards"]
    return {row["name"]: row for row in rows}

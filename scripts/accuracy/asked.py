"""A recorded start-up as the question that llmdeploy would have asked about it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from named import UnstatedError, model
from points import Point

from llmdeploy.catalog import hardware
from llmdeploy.memory.model import Adapters, Card, Drafter, Question, Split

HERE = Path(__file__).resolve().parent
Row = dict[str, Any]


def question(point: Point, on: Card) -> Question:
    """Return the question; None of its settings is taken from what the engine printed."""
    if point.tp is None:
        raise UnstatedError("tp: the point does not state it")
    return Question(
        engine=point.engine,
        version=version(point.version),
        model=model(point),
        card=on,
        split=Split(point.tp, point.pp or 1, point.dp or 1, bool(point.ep), point.dcp or 1),
        fraction=point.share,
        context=point.max_model_len,
        concurrency=point.max_num_seqs,
        batch_tokens=point.mnbt,
        block_size=point.block_size,
        dtype=point.dtype or "auto",
        quantization=_runtime(point),
        kv_dtype=point.kv_dtype or "auto",
        eager=bool(point.eager),
        adapters=_adapters(point.lora),
        drafter=_drafter(point.spec),
        options=_options(point),
        used_gib=_used(point),
    )


def version(stated: str | None) -> str | None:
    """Read a release. Of a span (`0.10-0.16`, `0.1x`) the last is taken, whose rules are its; words say nothing."""
    if stated is None:
        return None
    stated = re.sub(r"(?<=\.\d)x", "9", stated)
    found = re.findall(r"(?<![\d.])\d+\.\d+(?:\.\d+)?(?![\dx])", stated)
    return found[-1] if found else None


def card(point: Point) -> Card:
    name, total = point.gpu or "unknown", point.gpu_total_gib
    known = _cards().get(name, {})
    gpu = hardware.gpu(known.get("id", name))
    if gpu is not None and gpu.memory_gib is not None:
        return Card(gpu.vendor, float(total or gpu.memory_gib), gpu.id, gpu.name, gpu.capability, gpu.arch)
    gib = total or known.get("gib")
    if not gib:
        raise UnstatedError(f"card: `{name}` is no card with a known memory")
    return Card(known.get("vendor", "nvidia"), float(gib), None, name, known.get("capability"))


def _runtime(point: Point) -> str | None:
    """`fp8` over a checkpoint that is plain is what the engine made of it."""
    if point.quant != "fp8":
        return None
    known = model(point).config
    return None if known.get("quantization_config") or known.get("hf_quant_config") else "fp8"


def _adapters(stated: str | None) -> Adapters | None:
    numbers = re.findall(r"\d+", stated or "")
    return Adapters(int(numbers[0]), int(numbers[1])) if len(numbers) == 2 else None


def _drafter(stated: str | None) -> Drafter | None:
    found = re.fullmatch(r"([a-z]+\d?)[-_]?(\d+)", stated or "")
    return Drafter(found[1], int(found[2])) if found else None


def _options(point: Point) -> dict[str, Any] | None:
    found = {"moe-backend": point.moe_backend, "mamba-ssm-cache-dtype": point.mamba_ssm}
    return {key: value for key, value in found.items() if value is not None} or None


def _used(point: Point) -> float:
    """What others hold on the card: what is not free at the start, beyond the 2.1 GiB that an engine's own libraries take."""
    free, total = point.init_free_gib, point.gpu_total_gib
    if free is None or total is None:
        return 0.0
    return max(0.0, total - free) if total - free > 2.1 else 0.0


@cache
def _cards() -> dict[str, Row]:
    rows = yaml.safe_load((HERE / "cards.yaml").read_text(encoding="utf-8"))["cards"]
    return {row["name"]: row for row in rows}

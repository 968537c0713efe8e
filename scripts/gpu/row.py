"""What one boot said beside what the ledger had said: a line of the results, with a point as scripts/accuracy reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct

from llmdeploy.memory.model import Ledger
from llmdeploy.startlog import Boot, read

# What a point calls a term of the start-up log.
_OBSERVED = {
    "weights_gib": "weights",
    "act_gib": "activation",
    "nontorch_gib": "nontorch",
    "graph_gib": "graphs",
    "init_free_gib": "free",
    "gpu_total_gib": "total",
    "kv_gib": "kv",
    "kv_tokens": "kv_tokens",
    "max_conc": "concurrency",
}


class Booted(Struct, frozen=True):
    """`ready_s` counts from the opened gate, None where it never answered its probe; `ended` is the exit status of
    what ended by itself; `chat` what came of one request."""

    ready_s: float | None
    ended: int | None
    chat: str | None


def row(
    asked: dict[str, Any], ledger: Ledger, booted: Booted, log: Path, ran_on: tuple[dict[str, str], str]
) -> dict[str, Any]:
    """Return what can be written as JSON. `ran_on` is the card, and the text about machine and versions."""
    with log.open("rb") as opened:
        boots = [one for each in read(opened).boots.values() for one in each]
    said = boots[-1] if boots else Boot("vllm")
    measures = {term: said.largest(term) for term in sorted(said.measures)}
    return {
        "name": asked["name"],
        "fits": asked["fits"],
        "point": _point(asked, ledger, booted, said, ran_on),
        "ledger": _predicted(ledger),
        "measures": measures,
        "seconds": {
            "ready": booted.ready_s,
            "imported_before": True,
            **{key: measures.get(key) for key in ("load_s", "init_s")},
        },
        "chat": booted.chat,
        "ended": booted.ended,
    }


def _point(
    asked: dict[str, Any], ledger: Ledger, booted: Booted, said: Boot, ran_on: tuple[dict[str, str], str]
) -> dict[str, Any]:
    card, machine = ran_on
    model = asked["model"]
    stated = {
        "id": f"gpu-{asked['name']}",
        "model": f"{asked['shape']} as {asked['as']}" if "as" in asked else asked["shape"],
        "engine": "vllm",
        "version": said.version,
        **card,
        "gpus": 1,
        "tp": 1,
        "pp": 1,
        "dtype": "bfloat16",
        "quant": model.get("quantization"),
        "util": model.get("memory_fraction"),
        "max_model_len": model.get("context"),
        "max_num_seqs": model.get("concurrency"),
        "mnbt": ledger.batch_tokens,
        "kv_dtype": model.get("kv_cache", {}).get("dtype"),
        "lora": _lora(model.get("adapters", {})),
        "eager": True if model.get("engine_args", {}).get("enforce-eager") else None,
        **{key: said.largest(term) for key, term in _OBSERVED.items()},
        "fit": _fit(booted, said),
        "failure": said.failure.line if said.failure else None,
        "src": f"measured here: {machine}",
        "usable": True,
    }
    return {key: value for key, value in stated.items() if value is not None}


def _lora(adapters: dict[str, Any]) -> str | None:
    rank = max((adapter["rank"] for adapter in adapters.values()), default=0)
    return f"max_loras={len(adapters)},rank{rank}" if adapters else None


def _fit(booted: Booted, said: Boot) -> bool | None:
    """An engine whose log has a KV cache has fitted. One that was ended because its time was up tells nothing."""
    if booted.ready_s is not None or said.largest("kv_tokens") is not None:
        return True
    return None if booted.ended is None else False


def _predicted(ledger: Ledger) -> dict[str, Any]:
    tightest = min(ledger.ranks, key=lambda rank: rank.kv_gib) if ledger.ranks else None
    terms = ("weights_gib", "activation_gib", "nontorch_gib", "cuda_graphs_gib", "kv_gib")
    return {
        "verdict": ledger.verdict.value,
        "margin_gib": ledger.margin_gib,
        "usable_gib": ledger.usable_gib,
        "kv_tokens": ledger.kv_tokens,
        **{term: round(getattr(tightest, term), 3) for term in terms if tightest},
    }

"""What an engine does not print itself, from what it prints beside it."""

from __future__ import annotations

from collections.abc import Mapping

BLOCK = 16
"""Tokens of a block of V0, which prints blocks only; it took another size where that was asked for."""

SOURCES: Mapping[str, tuple[str, ...]] = {
    "weights": ("free", "after"),
    "activation": ("peak_activation", "graphs_estimated", "peak", "initial"),
    "nontorch": ("consumed", "weights", "free"),
    "cuda_graphs": ("graphs_estimated", "graphs"),
    "kv": ("k", "v", "state"),
    "state": ("state_ssm",),
    "kv_tokens": ("pool_tokens", "blocks"),
}
"""What a term may have been made of, where the engine does not print it."""

Terms = Mapping[str, Mapping[str, float]]
"""term -> rank -> value."""


def derived(printed: Terms, settings: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """Return the terms with those that follow from them, for each rank that has what it takes."""
    ranks = {rank for by_rank in printed.values() for rank in by_rank}
    whole: dict[str, dict[str, float]] = {}
    for rank in sorted(ranks):
        one = {term: by_rank[rank] for term, by_rank in printed.items() if rank in by_rank}
        for term, value in _of_one(one, settings).items():
            whole.setdefault(term, {})[rank] = value
    if "kv_tokens" not in whole and "pool_tokens" in whole:
        whole["kv_tokens"] = whole["pool_tokens"]
    return whole


def _of_one(seen: dict[str, float], settings: Mapping[str, str]) -> dict[str, float]:
    found = {term: round(value, 6) for term, value in seen.items()}

    def follows(term: str, value: float) -> None:
        found.setdefault(term, round(value, 6))

    if seen.keys() >= {"free", "after"}:  # SGLang before it said what the weights take
        follows("weights", seen["free"] - seen["after"])
    if seen.keys() >= {"peak", "initial"}:  # V0: what was there before the profile is the weights, mostly
        follows("activation", seen["peak"] - seen["initial"])
    # Where the graphs were estimated and taken off the KV cache, the estimate is what counts, and it is in the
    # "peak activation" (vLLM 0.33, gpu_worker.py, determine_available_memory).
    charged = seen.get("graphs_estimated", 0.0) if "without_graphs" in seen else None
    if "peak_activation" in seen:
        follows("activation", seen["peak_activation"] - (charged or 0.0))
    if charged is not None or "graphs" in seen:
        follows("cuda_graphs", seen["graphs"] if charged is None else charged)
    if seen.keys() >= {"consumed", "weights"}:
        follows("nontorch", seen["consumed"] - seen["weights"])
    if "k" in seen:
        follows("kv", seen["k"] + seen.get("v", 0.0))
    if seen.keys() & {"state", "state_ssm"}:
        found["state"] = seen.get("state", 0.0) + seen.get("state_ssm", 0.0)
        found.pop("state_ssm", None)
    if "blocks" in seen:
        size = settings.get("block_size", "")
        follows("kv_tokens", seen["blocks"] * (int(size) if size.isdecimal() else BLOCK))
    return found

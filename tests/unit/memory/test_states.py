"""Sequences of a model with states on vLLM: it starts with no more of them than its pool has blocks."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from llmdeploy.engines.base import Engine
from llmdeploy.memory import Ledger, Question, Split, Verdict
from llmdeploy.memory.corrections import Correction, corrected
from llmdeploy.memory.verdict import error_gib
from tests.unit.memory.test_vllm import H100, VLLM, card, model

DENSE, EXPERTS = "Qwen/Qwen3.5-27B", "Qwen/Qwen3.5-35B-A3B"
SUPER = "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8"


def question(name: str = DENSE, **stated: Any) -> Question:
    return Question("vllm", **{"version": "0.33", "model": model(name), "card": H100, **stated})


def ask(name: str = DENSE, engine: Engine = VLLM, **stated: Any) -> Ledger:
    return engine.memory(question(name, **stated))


def refused_at(name: str = DENSE, **stated: Any) -> int:
    """Return the blocks that vLLM would name, from the reason."""
    found = ask(name, concurrency=1024, **stated)
    assert found.verdict is Verdict.NO and found.reason is not None
    return int(found.reason.partition("there are ")[2].split()[0])


@pytest.mark.parametrize(
    ("name", "stated", "printed"),
    [
        # vllm-project/recipes#551: Qwen3.6-27B-FP8 of the same shape on one H100.
        (DENSE, {"quantization": "fp8", "fraction": 0.95}, 856),
        # A public log (reference 56311606221) of nvidia/Qwen3.6-27B-NVFP4 on one H100 with vLLM 0.24.0.
        ("nvidia/Qwen3.6-27B-NVFP4", {"version": "0.24.0", "context": 262144}, 976),
    ],
)
def test_more_sequences_than_blocks_of_states_do_not_start(
    name: str, stated: dict[str, Any], printed: int
) -> None:
    assert refused_at(name, **stated) == pytest.approx(printed, rel=0.02)


@pytest.mark.parametrize(
    ("name", "stated"),
    [
        (DENSE, {}),
        (DENSE, {"quantization": "fp8"}),
        (EXPERTS, {"context": 65536}),
        (EXPERTS, {"quantization": "fp8", "card": card("l40s"), "context": 32768}),
        (SUPER, {"split": Split(tensor=2), "context": 131072}),
    ],
)
def test_where_none_are_stated_as_many_are_taken_as_surely_start(name: str, stated: dict[str, Any]) -> None:
    found = ask(name, **stated)
    assert found.verdict is Verdict.FITS and found.bounded and found.concurrency is not None
    on = stated.get("card", H100)
    assert ask(name, **stated, concurrency=found.concurrency).verdict is Verdict.FITS
    # One more would leave less than the equation may be wrong by.
    more = ask(name, **stated, concurrency=found.concurrency + 1)
    assert more.verdict is Verdict.TIGHT and more.reason is not None
    assert more.margin_gib is not None and 0 <= more.margin_gib < error_gib(on.memory_gib)


def test_fewer_sequences_leave_memory_that_one_request_needs() -> None:
    """Of 1,024, the sampler alone took what made 65,536 tokens tight."""
    few, all_of_them = ask(EXPERTS, context=65536), ask(EXPERTS, context=65536, version="0.18")
    assert (all_of_them.concurrency, all_of_them.bounded) == (1024, False)
    assert few.concurrency is not None and few.concurrency < 300
    assert few.ranks[0].activation_gib < all_of_them.ranks[0].activation_gib / 2


@pytest.mark.parametrize(
    "stated",
    [
        {"version": "0.18"},
        {"eager": True},
        {"options": {"enforce-eager": True}},
        {"options": {"compilation-config": {"cudagraph_mode": "PIECEWISE"}}},
        {"options": {"optimization-level": 1}},
    ],
    ids=str,
)
def test_without_full_graphs_or_before_the_check_all_sequences_start(stated: dict[str, Any]) -> None:
    found = ask(EXPERTS, context=65536, **stated)
    assert (found.concurrency, found.bounded) == (1024, False)
    assert found.reason is None


@pytest.mark.parametrize("mode", ["FULL", "FULL_DECODE_ONLY", "FULL_AND_PIECEWISE"])
def test_every_mode_with_full_graphs_counts_blocks(mode: str) -> None:
    assert ask(EXPERTS, context=65536, options={"compilation-config": {"cudagraph_mode": mode}}).bounded


def test_a_model_without_states_takes_what_the_engine_takes() -> None:
    found = ask("Qwen/Qwen3-30B-A3B")
    assert (found.concurrency, found.bounded) == (1024, False)


def test_states_that_all_have_a_block_bound_nothing() -> None:
    found = ask(DENSE, card=card("b200"))
    assert (found.concurrency, found.bounded) == (1024, False)


def test_blocks_that_are_stated_are_counted_and_not_estimated() -> None:
    given = {"num-gpu-blocks-override": 300}
    assert ask(DENSE, context=8192, options=given).concurrency == 300
    assert ask(DENSE, context=8192, options=given, concurrency=300).verdict is Verdict.FITS
    assert ask(DENSE, context=8192, options=given, concurrency=301).verdict is Verdict.NO


def test_a_pool_that_was_pinned_for_a_share_keeps_the_sequences_that_it_was_planned_with() -> None:
    share = {"share": 0.95, "context": 8192}
    first = ask(DENSE, **share)
    assert first.bounded and first.concurrency is not None
    pool = int(first.ranks[0].kv_gib * 1024) << 20
    again = ask(DENSE, **share, kv_bytes=pool)
    assert again.concurrency == pytest.approx(first.concurrency, abs=1)


def test_what_was_measured_to_be_less_makes_the_sequences_fewer() -> None:
    asked = question(DENSE, card=replace(H100, id="h100-sxm-80gb"))
    found = VLLM.memory(asked)
    taken = Correction("vllm", "0.33", "h100-sxm-80gb", 1, DENSE, "2026-11-30", "0" * 64, nontorch=3.0)
    less = corrected(found, asked, [taken])
    assert found.concurrency is not None and less.concurrency is not None
    assert less.concurrency < found.concurrency
    more = corrected(found, asked, [replace(taken, nontorch=-0.1)])
    assert more.concurrency == found.concurrency

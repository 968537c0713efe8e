"""One shortage is one figure: in the error, in the plan and in its JSON, on whatever the model runs."""

from __future__ import annotations

import re
from typing import Any

import pytest
from support.ways import compiled, found

from llmdeploy.memory.sizes import size
from llmdeploy.plan.document import document
from llmdeploy.show import bars

_POOLS: dict[str, dict[str, Any]] = {
    "nvidia": {"type": "l4", "count": 2},
    "amd": {"type": "mi300x", "count": 2},
    "cpu": {"type": "cpu", "memory": "16GiB"},
    "mig": {"type": "h100-sxm-80gb", "count": 7, "memory": "9.75GiB", "resource": "nvidia.com/mig-1g.10gb"},
}


def short(pool: str, engine: str, **model: Any) -> Any:
    source = "Qwen/Qwen3-235B-A22B" if pool == "amd" else "Qwen/Qwen3-14B"
    data = {
        "version": 1,
        "name": "demo",
        "gpus": {"pool": _POOLS[pool]},
        "models": {"chat": {"source": source, "engine": engine, **model}},
        "routes": [{"path": "/chat", "model": "chat"}],
    }
    result = compiled(data, ("kubernetes",))
    diagnostic = found(result, "LD304")
    assert diagnostic and result.plan and result.plan.services[0].memory
    return diagnostic, result.plan


_RUNS = [(pool, engine) for pool in _POOLS for engine in ("vllm", "sglang", "tgi") if pool != "cpu"]


@pytest.mark.parametrize(("pool", "engine"), [*_RUNS, ("cpu", "vllm")])
@pytest.mark.parametrize("context", [4096, "auto", 32768])
def test_error_plan_and_json_say_the_same(pool: str, engine: str, context: Any) -> None:
    diagnostic, plan = short(pool, engine, context=context)
    (by,) = re.findall(r"does not fit, by ([\d.]+ [GM]iB):", diagnostic.message)
    assert size(-document(plan)["services"][0]["memory"]["margin_gib"]) == by
    assert f"lacks {by}" in bars.told(plan.services[0].memory)[0]
    said = [diagnostic.message, *(note.text for note in diagnostic.notes)]
    assert not any(re.search(r"missing|\b0\.00? GiB", text) for text in said), said


@pytest.mark.parametrize(
    ("pool", "words", "never"),
    [
        ("nvidia", ("one l4", "GiB of one GPU", "CUDA graphs"), ("HIP",)),
        ("amd", ("one mi300x", "HIP graphs"), ("CUDA",)),
        ("cpu", ("GiB of the node",), ("CUDA", "GPU", "graphs", "card")),
        ("mig", ("one slice of h100-sxm-80gb", "GiB of one slice"), ("one GPU",)),
    ],
)
def test_it_is_said_in_the_words_of_what_it_runs_on(
    pool: str, words: tuple[str, ...], never: tuple[str, ...]
) -> None:
    diagnostic, _ = short(pool, "vllm", context=4096)
    text = " ".join([diagnostic.message, *(note.text for note in diagnostic.notes)])
    assert all(word in text for word in words), text
    assert not any(word in text for word in never), text


@pytest.mark.parametrize(
    ("gib", "text"),
    [(437.906, "437.91 GiB"), (0.1, "0.10 GiB"), (0.0999, "102 MiB"), (0.0001, "1 MiB"), (0.0, "0.00 GiB")],
)
def test_a_size_has_two_decimals_and_below_a_tenth_of_a_gib_it_is_in_mib(gib: float, text: str) -> None:
    assert size(gib) == text

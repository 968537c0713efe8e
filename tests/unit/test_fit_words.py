"""How a model that does not fit is spoken of: nothing of it is kept, and no size reads as nothing that is not."""

from __future__ import annotations

import pytest
import yaml
from msgspec.structs import replace
from support import ledgers

from llmdeploy.compiler import Result, compile
from llmdeploy.memory import Verdict
from llmdeploy.show.words import figures, verdict


def planned(engine: str, gpu: str, **model: object) -> Result:
    spec = {
        "version": 1,
        "name": "demo",
        "gpus": {"gpu": {"type": gpu, "count": 1}},
        "models": {"chat": {"source": "Qwen/Qwen3-14B", "engine": engine, **model}},
        "routes": [{"path": "/chat", "model": "chat"}],
    }
    return compile(yaml.safe_dump(spec), ["docker"], emit=False)


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
def test_what_does_not_fit_pins_nothing(engine: str) -> None:
    result = planned(engine, "l4")
    assert result.plan is not None
    (service,) = result.plan.services
    assert service.memory is not None and service.memory.verdict is Verdict.NO
    assert service.memory.concurrency != 0
    pinned = {why.setting for why in service.why} & {"concurrency", "batch_tokens", "memory_fraction"}
    assert not pinned
    assert not {"--max-running-requests", "--max-num-seqs", "--max-concurrent-requests"} & {
        *service.launch.argv
    }


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_what_fits_is_pinned_as_before(engine: str) -> None:
    result = planned(engine, "h200")
    assert result.plan is not None
    assert {"--max-running-requests", "--max-num-seqs"} & {*result.plan.services[0].launch.argv}


def test_a_shortage_that_rounds_to_nothing_is_told_in_mib() -> None:
    lacking = replace(ledgers.NO, margin_gib=-2 / 1024)
    assert verdict(lacking) == "lacks 2 MiB for one request of 32,768 tokens"
    assert verdict(ledgers.NO) == "lacks 69.92 GiB for one request of 32,768 tokens"


def test_a_cache_that_is_not_there_has_no_figures() -> None:
    assert figures(ledgers.NO) == []
    assert len(figures(replace(ledgers.NO, kv_tokens=512))) == 3

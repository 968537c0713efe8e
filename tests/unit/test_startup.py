"""How long a start may take: the arithmetic, what llm.yaml states, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import plans
from support.settings import ENGINES
from support.specs import compiled, spec
from support.weights import LLAMA, LLAMA_GGUF, LLAMA_GGUF_TENSORS, checkpoint, gguf

from llmdeploy import compile
from llmdeploy.compiler import Result
from llmdeploy.engines.base import Phase
from llmdeploy.facts.gather import gather
from llmdeploy.plan.model import Service, Startup
from llmdeploy.plan.startup import READ_GIB_S, Machine, estimate
from llmdeploy.show import words

PHASES = (
    Phase("start", 100, "M", "here"),
    Phase("start", 10, "J", "here", each_gpu=10, vendors=("nvidia", "amd")),
    Phase("compile", 120, "A", "here", unless=("enforce-eager",)),
    Phase("capture", 60, "A", "here", vendors=("nvidia", "amd"), unless=("enforce-eager",)),
    Phase("capture", 240, "A", "here", vendors=("nvidia", "amd"), adapters=True),
)
GIB = 1 << 30


def machine(gpus: int = 1, *given: str, vendor: str = "nvidia", adapters: bool = False) -> Machine:
    return Machine(vendor, gpus, frozenset(given), adapters)


def parts(found: Startup) -> tuple[int | None, ...]:
    return found.read_s, found.start_s, found.compile_s, found.capture_s


def planned(engine: str = "vllm-0.33.0", accelerator: str = "one", *features: str, **model: Any) -> Service:
    data = spec(engine, accelerator, *features)
    data["models"]["chat"].update(model)
    return service_of(compiled(data, ("docker",), emit=False))


def service_of(result: Result) -> Service:
    assert result.plan is not None, result.diagnostics
    return result.plan.service("chat")


def local(folder: Path, source: str) -> Result:
    data = {**spec("vllm-0.33.0"), "models": {"chat": {"source": source, "gpus": 1}}}
    facts = lambda parsed: gather(parsed, folder, folder / "out")  # noqa: E731
    return compile(json.dumps(data), ("docker",), facts, emit=False)


def test_parts_are_added_and_doubled_to_a_whole_minute() -> None:
    found = estimate(100 * GIB, 0, PHASES, machine(4))
    assert parts(found) == (500, 140, 120, 60)
    assert (found.expected_s, found.ready_limit_s) == (820, 1680)


def test_a_large_model_has_twenty_minutes_to_spare_and_no_hour() -> None:
    """What hangs is left alone until then: DeepSeek-R1's 641 GiB would have two hours if all were doubled."""
    found = estimate(641 * GIB, 688 * 10**9, PHASES, machine(8))
    assert (found.expected_s, found.spare_s) == (3205 + 180 + 120 + 60, 1200)
    assert found.ready_limit_s == 4800
    assert found.fetch_s == 17200 and found.fetch_limit_s == 20820


@pytest.mark.parametrize("gib", [1, 100, 640, 2000])
def test_no_limit_is_below_what_is_expected(gib: int) -> None:
    found = estimate(gib * GIB, gib * GIB, PHASES, machine(8))
    assert found.expected_s is not None and found.ready_limit_s >= found.expected_s + 300
    assert found.fetch_s is not None and found.fetch_limit_s >= found.fetch_s + min(found.fetch_s, 3600)


def test_no_model_gets_less_than_ten_minutes() -> None:
    found = estimate(0, 0, PHASES, machine(1, "enforce-eager"))
    assert (found.expected_s, found.ready_limit_s) == (110, 600)


def test_an_eager_engine_neither_compiles_nor_captures() -> None:
    assert parts(estimate(GIB, 0, PHASES, machine(1, "enforce-eager"))) == (5, 110, 0, 0)


def test_a_cpu_captures_no_graphs() -> None:
    assert parts(estimate(GIB, 0, PHASES, machine(0, vendor="cpu"))) == (5, 100, 120, 0)


def test_adapters_add_graphs() -> None:
    assert parts(estimate(GIB, 0, PHASES, machine(adapters=True)))[3] == 300


def test_only_what_comes_from_the_hub_is_fetched() -> None:
    assert estimate(140 * 10**9, 0, PHASES, machine()).fetch_s == 0
    found = estimate(140 * 10**9, 140 * 10**9, PHASES, machine())
    assert (found.fetch_s, found.fetch_limit_s) == (3500, 7020)


def test_a_small_model_may_come_over_a_slow_line() -> None:
    """kubeai#173: 4.6 GB over 20 Mbit/s."""
    assert estimate(4_600_000_000, 4_600_000_000, PHASES, machine()).fetch_limit_s >= 1800


def test_unknown_weights_get_half_an_hour_and_a_reason() -> None:
    found = estimate(None, 0, PHASES, machine())
    assert (found.ready_limit_s, found.fetch_limit_s, found.expected_s) == (1800, 3600, None)
    assert found.unknown


def test_an_engine_that_says_nothing_of_its_start_gets_half_an_hour() -> None:
    found = estimate(GIB, GIB, (), machine())
    assert (found.ready_limit_s, found.expected_s) == (1800, None)
    assert "engine" in (found.unknown or "")


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_of_ours_has_its_phases(name: str) -> None:
    found = estimate(0, 0, ENGINES[name].phases(), machine())
    assert found.start_s


def test_70b_in_16_bits_on_four_gpus() -> None:
    service = planned(accelerator="four", source="meta-llama/Llama-3.3-70B-Instruct")
    assert service.startup.disk_bytes == pytest.approx(141.1e9, rel=1e-3)
    assert parts(service.startup) == (658, 140, 120, 60)
    assert service.ready_timeout_s == 1980
    assert service.startup.fetch_limit_s == 7080


def test_8b_takes_less_than_70b_and_more_than_the_floor() -> None:
    service = planned(source="meta-llama/Llama-3.1-8B-Instruct")
    assert service.startup.read_s == 75
    assert 600 < service.ready_timeout_s < 1980


def test_what_others_measured_is_within_the_limit() -> None:
    """About 10 minutes for Llama-4-Scout on four H100 (llm-d-benchmark#83), and for LoRA with graphs (vllm#20354)."""
    scout = planned(accelerator="four", source="meta-llama/Llama-4-Scout-17B-16E-Instruct")
    lora = planned(
        source="meta-llama/Llama-3.1-8B-Instruct", adapters={"sql": {"source": "org/sql", "rank": 16}}
    )
    assert scout.startup.expected_s is not None
    assert scout.ready_timeout_s > scout.startup.expected_s > 600
    assert lora.ready_timeout_s > 600 < (lora.startup.expected_s or 0) + 30


def test_a_model_that_is_quantized_while_it_loads_is_read_whole() -> None:
    plain, online = planned(), planned(quantization="fp8")
    assert online.startup.disk_bytes == plain.startup.disk_bytes


def test_a_drafter_is_fetched_and_read_too() -> None:
    drafter = {"method": "draft", "model": "Qwen/Qwen2.5-1.5B-Instruct", "tokens": 4}
    with_it = planned(speculative=drafter).startup
    without = planned().startup
    assert with_it.disk_bytes is not None and without.disk_bytes is not None
    assert with_it.disk_bytes - without.disk_bytes == pytest.approx(3.09e9, rel=0.01)
    assert (with_it.fetch_s or 0) > (without.fetch_s or 0)


def test_an_argument_says_that_there_are_no_graphs() -> None:
    assert parts(planned(engine_args={"enforce-eager": True}).startup)[2:] == (0, 0)
    assert parts(planned(engine_args={"enforce-eager": False}).startup)[2:] == (120, 60)
    assert parts(planned("sglang", engine_args={"disable-decode-cuda-graph": True}).startup)[3] == 0


def test_a_directory_is_read_and_not_fetched(tmp_path: Path) -> None:
    checkpoint(tmp_path / "mine", {"model.safetensors": LLAMA})
    service = service_of(local(tmp_path, "./mine"))
    assert service.startup.disk_bytes == 2 * 512 * 64 + 2 * 64 * 64 + 4 * 64
    assert (service.startup.read_s, service.startup.fetch_s) == (1, 0)
    assert "fetch limit" not in {why.setting for why in service.why}


def test_a_gguf_file_is_as_large_as_its_blocks(tmp_path: Path) -> None:
    (tmp_path / "m.gguf").write_bytes(gguf(LLAMA_GGUF, LLAMA_GGUF_TENSORS))
    service = service_of(local(tmp_path, "./m.gguf"))
    assert service.startup.disk_bytes == 4 * 144 + 256 * 210 + 4 * 256


def test_a_model_of_which_nothing_is_known_says_so() -> None:
    service = planned(source="org/never-heard-of")
    (why,) = (why for why in service.why if why.setting == "ready_timeout")
    assert (service.ready_timeout_s, why.value) == (1800, "1800s")
    assert "config.json names no architecture" in why.because


def test_why_has_the_arithmetic() -> None:
    (why,) = (why for why in planned().why if why.setting == "ready_timeout")
    assert f"at {READ_GIB_S} GiB/s" in why.because
    assert ", graphs 60 s" in why.because


def test_what_llm_yaml_states_wins() -> None:
    service = planned(ready_timeout="50m")
    assert service.ready_timeout_s == 3000
    assert "ready_timeout" not in {why.setting for why in service.why}
    assert service.launch.env["VLLM_ENGINE_READY_TIMEOUT_S"] == "3000"


@pytest.mark.parametrize(("stated", "warned"), [("5m", True), ("20m", False)])
def test_less_than_is_expected_is_a_warning(stated: str, warned: bool) -> None:
    data = spec("vllm-0.33.0")
    data["models"]["chat"]["ready_timeout"] = stated
    found = compiled(data, ("docker",), emit=False).diagnostics
    assert ("LD536" in [each.code for each in found]) is warned


@pytest.mark.parametrize(
    ("service", "text"),
    [
        (planned(accelerator="four", source="meta-llama/Llama-3.3-70B-Instruct"), "at most 33 min: 131.4 GiB read 11 min + start 3 min + compile 2 min + graphs 60 s, times 2; before it, once, 59 min to fetch the weights"),
        (planned(source="deepseek-ai/DeepSeek-R1", gpus=8), "at most 80 min: 637.8 GiB read 54 min + start 3 min + compile 2 min + graphs 60 s, and 20 min to spare; before it, once, 286 min to fetch the weights; `ready_timeout` shortens it where storage is faster"),
        (plans.service(ready_timeout_s=1800), "at most 30 min"),
        (plans.service(ready_timeout_s=90), "at most 90 s, as `ready_timeout` says; without it 30 min"),
    ],
    ids=["known", "large", "unknown", "stated"],
)  # fmt: skip
def test_a_plan_tells_it_in_one_line(service: Service, text: str) -> None:
    assert words.ready(service) == text

"""Every way out of a model that does not fit is applied to llm.yaml, and compiled: it must then fit."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any

import pytest
from support import specs
from support.ways import applied, compiled, found, kept, ways

from llmdeploy import catalog

_MODELS = (
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-32B",
    "meta-llama/Llama-3.3-70B-Instruct",
    "meta-llama/Llama-3.1-8B-Instruct",
    "mistralai/Mistral-7B-Instruct-v0.3",
    "Qwen/Qwen2.5-72B-Instruct",
    "google/gemma-2-9b-it",
    "Qwen/Qwen3-30B-A3B",
)
_GPUS = ("l4", "l40s", "rtx-4090", "a100-sxm-40gb", "a100-sxm-80gb", "h100-sxm-80gb")
_SPLITS: dict[int, tuple[dict[str, int], ...]] = {
    1: ({},),
    2: ({}, {"data": 2}, {"pipeline": 2}),
    4: ({}, {"data": 2}, {"pipeline": 2}, {"tensor": 1, "data": 4}),
}


def spec(source: str, gpu: str, count: int, free: int | None = None, **model: Any) -> dict[str, Any]:
    chat = {"source": source, "token": "hub", "gpus": count, **model}
    return {
        "version": 1,
        "name": "demo",
        "gpus": {"gpu": {"type": gpu, "count": free or count}},
        "secrets": {"hub": {"env": "HF_TOKEN"}},
        "models": {"chat": chat},
        "routes": [{"path": "/chat", "model": "chat"}],
    }


def seeded() -> Iterator[dict[str, Any]]:
    """Combinations that do not fit, ten for each engine."""
    draw = random.Random(5)
    for engine in ("vllm", "sglang", "tgi"):
        many = 0
        while many < 10:
            count = draw.choice((1, 1, 2, 4))
            parallel = {} if engine == "tgi" else draw.choice(_SPLITS[count])
            optional = {
                "context": draw.choice((None, "auto", 8192, 32768)),
                "concurrency": draw.choice((None, "auto", 16, 1024)),
                "quantization": draw.choice((None, None, "fp8")),
                "parallel": parallel or None,
            }
            stated = {key: value for key, value in optional.items() if value is not None}
            free = draw.choice((count, 8))
            data = spec(draw.choice(_MODELS), draw.choice(_GPUS), count, free, engine=engine, **stated)
            result = compiled(data)
            errors = {each.code for each in result.diagnostics if each.severity == "error"}
            if errors == {"LD304"}:
                many += 1
                yield data


def test_every_way_out_of_a_model_that_does_not_fit_fits() -> None:
    printed = 0
    for data in seeded():
        printed += kept(data, "LD304")
    assert printed >= 50


def test_a_way_out_within_the_node_is_printed_where_there_is_one() -> None:
    """Where more of the GPUs that stand idle, FP8 or 4,096 tokens would do, help names some way."""
    for data in seeded():
        diagnostic = found(compiled(data), "LD304")
        assert diagnostic
        if ways(diagnostic):
            continue
        model, idle = data["models"]["chat"], data["gpus"]["gpu"]["count"]
        tries = [f"`gpus.count: {count}`" for count in range(model["gpus"] + 1, idle + 1)]
        tries += ["`context: 4096`", *(["`quantization: fp8`"] if "quantization" not in model else [])]
        for way in tries:
            result = compiled(applied(data, way))
            assert not result.ok or found(result, "LD519"), (data, way)


LLAMA = "meta-llama/Llama-3.3-70B-Instruct"
LLAMA_405B = "meta-llama/Llama-3.1-405B-Instruct"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (spec(LLAMA, "l4", 4, 8, context=8192), "LD304"),
        (spec(LLAMA, "h100-sxm-80gb", 2, 8, context=131072), "LD304"),
        (spec("Qwen/Qwen3-8B", "rtx-4090", 1, engine="sglang", context=4096), "LD519"),
        (spec("Qwen/Qwen3-8B", "l40s", 1, context=8192, engine_args={"num-gpu-blocks-override": 2}), "LD304"),
        (
            spec("Qwen/Qwen3-8B", "l40s", 1, context=8192, engine_args={"num-gpu-blocks-override": 10**9}),
            "LD304",
        ),
        (spec("Qwen/Qwen3-8B", "l40s", 1, context=8192, engine_args={"block-size": 16 * 10**6}), "LD304"),
        (
            spec(
                "Qwen/Qwen3-8B",
                "l40s",
                1,
                engine="sglang",
                context=8000,
                engine_args={"page-size": 64, "max_total_tokens": 4096},
            ),
            "LD304",
        ),
        (spec("Qwen/Qwen3-8B", "l40s", 1, engine="sglang", context=8192, memory_fraction=1.0), "LD519"),
        (spec("Qwen/Qwen3-8B", "l40s", 1, engine="sglang", context=8192, memory_fraction=0.01), "LD304"),
        (spec("Qwen/Qwen3-8B", "l40s", 1, engine="sglang", context=8192, batch_tokens=10**6), "LD304"),
        (spec("Qwen/Qwen3.5-27B", "h100-sxm-80gb", 1, context=32768, concurrency=512), "LD304"),
    ],
)
def test_the_cases_of_the_memory_ledger_end_in_their_code_and_ways_that_fit(data: Any, code: str) -> None:
    diagnostic = found(compiled(data), code)
    assert diagnostic and ways(diagnostic)
    kept(data, code)


@pytest.mark.parametrize(
    ("engine", "flag", "least"),
    [("vllm", "num-gpu-blocks-override", 513), ("sglang", "max-total-tokens", 8192)],
)
def test_a_pool_of_too_few_is_told_where_it_is_stated_with_the_fewest_that_do(
    engine: str, flag: str, least: int
) -> None:
    data = spec("Qwen/Qwen3-8B", "l40s", 1, engine=engine, context=8192, engine_args={flag: 100})
    diagnostic = found(compiled(data), "LD304")
    assert diagnostic and diagnostic.path[2:] == ("engine_args", flag)
    assert ways(diagnostic)[0] == f"`engine_args.{flag}: {least}` or more"
    fewer = {**data["models"]["chat"], "engine_args": {flag: least - 1}}
    assert found(compiled({**data, "models": {"chat": fewer}}), "LD304")


def test_requests_beyond_the_pool_are_a_warning_with_the_number_that_fit() -> None:
    data = spec(LLAMA, "h100-sxm-80gb", 4, context=131072, concurrency=256)
    result = compiled(data)
    diagnostic = found(result, "LD517")
    assert result.ok and diagnostic
    (fit,) = re.findall(r": (\d+) fit at full length", diagnostic.message)
    assert found(compiled(applied(data, f"`concurrency: {fit}`")), "LD517") is None
    assert found(compiled(applied(data, f"`concurrency: {int(fit) + 1}`")), "LD517") is not None


def test_the_models_own_maximum_counts_where_no_context_is_stated() -> None:
    diagnostic = found(compiled(spec("Qwen/Qwen3-8B", "l40s", 1, concurrency=64)), "LD517")
    assert diagnostic and "64 requests of 40960 tokens (the model's own maximum)" in diagnostic.message


@pytest.mark.parametrize(
    ("source", "gpu", "count", "parallel", "context", "way"),
    [
        ("Qwen/Qwen3-32B", "a100-sxm-40gb", 2, {"data": 2}, 4096, "`parallel: {tensor: 2}` on the same GPUs"),
        ("Qwen/Qwen3-14B", "l4", 4, {"data": 4}, 8192, "`parallel: {tensor: 4}` on the same GPUs"),
        (LLAMA, "l40s", 8, {"pipeline": 2, "data": 2}, 131072, "`parallel: {tensor: 8}` on the same GPUs"),
    ],
)
def test_another_split_of_the_same_gpus_comes_before_more_of_them(
    source: str, gpu: str, count: int, parallel: Any, context: int, way: str
) -> None:
    data = spec(source, gpu, count, 2 * count, context=context, parallel=parallel)
    diagnostic = found(compiled(data), "LD304")
    assert diagnostic
    said = ways(diagnostic)
    assert way in said
    assert not any("gpus.count" in each for each in said[: said.index(way)])
    kept(data, "LD304")


def offered(data: dict[str, Any]) -> list[str]:
    diagnostic = found(compiled(data), "LD304")
    assert diagnostic
    return ways(diagnostic)


def test_a_model_that_sees_may_go_without_images_and_the_tower() -> None:
    data = spec("Qwen/Qwen3-VL-8B-Instruct", "rtx-4090", 1, context=16384)
    way = next(each for each in offered(data) if "multimodal" in each)
    assert way == "`multimodal: {image: 0, video: 0}` where prompts have no image and no video"
    assert found(compiled(applied(data, way)), "LD304") is None
    assert not any("multimodal" in each for each in offered(spec("Qwen/Qwen3-8B", "l4", 1, context=40960)))


def test_where_the_heads_do_not_divide_it_is_split_by_layers() -> None:
    """40 heads over 3: a third of the weights has room on each card."""
    data = spec("Qwen/Qwen3-14B", "l4", 3, context=8192, parallel={"data": 3})
    diagnostic = found(compiled(data), "LD304")
    assert diagnostic
    (way,) = (way for way in ways(diagnostic) if "parallel:" in way)
    assert way == "`parallel: {tensor: 1, pipeline: 3}` on the same GPUs"
    kept(data, "LD304")


def test_a_larger_fraction_comes_last_and_with_its_caveat() -> None:
    diagnostic = found(compiled(spec("Qwen/Qwen3-8B", "l4", 1, context=24000)), "LD304")
    assert diagnostic
    assert ways(diagnostic)[-1] == "`memory_fraction: 0.95` where nothing else runs on the card"


def test_a_large_miss_is_not_answered_by_a_larger_fraction() -> None:
    diagnostic = found(compiled(spec("Qwen/Qwen3-32B", "h100-sxm-80gb", 1, context=40960)), "LD304")
    assert diagnostic and not any("memory_fraction" in way for way in ways(diagnostic))


@pytest.mark.parametrize(
    ("data", "cards"),
    [
        (spec(LLAMA, "l4", 1, context=8192), ["b200-sxm-180gb"]),
        (spec(LLAMA, "l4", 1, context=8192, quantization="fp8"), ["rtx-pro-6000", "h200-sxm-141gb"]),
        # SGLang has all of it in 16 bits before it quantizes.
        (spec(LLAMA, "l4", 1, context=8192, quantization="fp8", engine="sglang"), ["h200-sxm-141gb"]),
        (spec(LLAMA_405B, "l4", 8, context=8192), ["h200-sxm-141gb"]),
        (spec(LLAMA_405B, "mi300x", 2, context=8192, quantization="fp8"), ["mi325x"]),
    ],
)
def test_the_smallest_card_with_room_is_named_and_one_that_is_easily_had(data: Any, cards: list[str]) -> None:
    diagnostic = found(compiled(data), "LD304")
    assert diagnostic
    said = [match[1] for way in ways(diagnostic) if (match := re.match(r"`gpus\.gpu\.type: (.*)`", way))]
    assert said == cards
    kept(data, "LD304")
    smallest = catalog.gpu(cards[0])
    assert smallest and smallest.memory_gib
    for gpu in catalog.gpus():
        card = gpu.vendor == smallest.vendor and gpu.id != "gb10"  # a computer of its own
        if card and (gpu.memory_gib or 0.0) < smallest.memory_gib:
            result = compiled({**data, "gpus": {"gpu": {**data["gpus"]["gpu"], "type": gpu.id}}})
            assert not result.ok or found(result, "LD519"), gpu.id


@pytest.mark.parametrize(
    ("data", "way"),
    [
        pytest.param(
            spec(LLAMA_405B, "l4", 1, context=8192),
            "`gpus.count: 8` with `gpus.gpu.type: h200-sxm-141gb` where pool `gpu` has 8 of them free",
            id="where one card holds nothing of it",
        ),
        pytest.param(
            specs.merge(
                spec(LLAMA, "l4", 1, 2, context=8192), {"models": {"small": {"source": "Qwen/Qwen3-0.6B"}}}
            ),
            "a pool of its own with `type: b200-sxm-180gb`",
            id="where others are content with the pool",
        ),
    ],
)
def test_larger_cards_are_as_many_as_it_takes_and_only_for_it(data: Any, way: str) -> None:
    diagnostic = found(compiled(data), "LD304")
    assert diagnostic and any(each.startswith(way) for each in ways(diagnostic)), diagnostic
    kept(data, "LD304")


@pytest.mark.parametrize(
    ("gpu", "model"),
    [
        pytest.param("l4", {"source": "Qwen/Qwen3-8B", "context": 32768}, id="another quantization would do"),
        pytest.param("l4", {"source": "Qwen/Qwen3-8B", "context": 40960}, id="a smaller cache would do"),
    ],
)
def test_no_larger_card_is_named_where_the_context_can_be_kept(gpu: str, model: Any) -> None:
    diagnostic = found(compiled(spec(gpu=gpu, count=1, **model)), "LD304")
    assert diagnostic and ways(diagnostic)
    assert not any("gpu.type:" in way for way in ways(diagnostic))


@pytest.mark.parametrize(
    "pool",
    [
        {"type": "l4", "memory": "22GiB"},
        {"vendor": "nvidia", "memory": "22GiB", "capability": "8.9"},
        {"type": "h100-sxm-80gb", "resource": "nvidia.com/mig-2g.20gb"},
    ],
    ids=["its memory is stated", "of no known type", "slices"],
)
def test_no_type_is_offered_to_a_pool_that_has_its_own_memory(pool: Any) -> None:
    data = {**spec(LLAMA, "l4", 1, context=8192), "gpus": {"gpu": {**pool, "count": 1}}}
    diagnostic = found(compiled(data, ("kubernetes",)), "LD304")
    assert diagnostic and "gpu.type:" not in (diagnostic.help or "")


def test_auto_says_how_far_down_it_went_and_what_was_missing() -> None:
    data = spec("Qwen/Qwen3-32B", "rtx-4090", 1, context="auto", concurrency="auto")
    diagnostic = found(compiled(data), "LD304")
    assert diagnostic
    assert diagnostic.message.startswith("`chat` does not fit, by 40.")
    assert diagnostic.message.endswith("; `auto` went down to 16 tokens and 1 request at once")


@pytest.mark.parametrize("share", [0.01, 0.02, 0.05])
@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
def test_no_message_of_a_share_has_a_negative_size(share: float, engine: str) -> None:
    data = spec("Qwen/Qwen3-0.6B", "l40s", 1, context=4096, engine=engine)
    data["models"]["chat"]["gpus"] = {"share": share}
    result = compiled(data)
    assert not result.ok
    for each in result.diagnostics:
        said = [each.message, each.help or "", *(note.text for note in each.notes)]
        assert not any(re.search(r"-\d+\.\d+ ", text) for text in said), said

"""Ways out of models that are not alone on NVIDIA cards: each is applied, compiled, and brings nothing new to complain of."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.ways import FITS, compiled, found, kept, ways

Case = tuple[dict[str, Any], tuple[str, ...]]
"""A spec, and the targets that it is built for."""

_MODELS = (
    "Qwen/Qwen3-0.6B",
    "Qwen/Qwen3-4B",
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-14B",
    "meta-llama/Llama-3.1-8B-Instruct",
)
_LARGE = ("Qwen/Qwen3-235B-A22B", "meta-llama/Llama-3.3-70B-Instruct", "meta-llama/Llama-3.1-405B-Instruct")
_SMALL = {"source": "Qwen/Qwen3-0.6B", "context": 4096}


def spec(pool: dict[str, Any], **models: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": 1,
        "name": "demo",
        "gpus": {"pool": pool},
        "secrets": {"hub": {"env": "HF_TOKEN", "kubernetes": {"name": "hub", "key": "token"}}},
        "storage": {"cache": {"access": "ReadWriteMany"}},
        "models": models,
        "routes": [{"path": f"/{name}", "model": name} for name in models],
    }


def chat(
    draw: random.Random, sources: tuple[str, ...], engines: tuple[str, ...], **more: Any
) -> dict[str, Any]:
    optional = {
        "context": draw.choice((None, "auto", 8192, 32768)),
        "concurrency": draw.choice((None, None, "auto", 16, 1024)),
        **more,
    }
    stated = {key: value for key, value in optional.items() if value is not None}
    return {"source": draw.choice(sources), "token": "hub", "engine": draw.choice(engines), **stated}


def shared(draw: random.Random) -> Case:
    share = draw.choice((0.2, 0.3, 0.4, 0.5))
    left = round((1 - share) / draw.choice((1, 1, 1.3, 2)), 2)
    models = {
        "chat": chat(draw, _MODELS, ("vllm", "sglang", "tgi"), gpus={"share": share}),
        "small": {**_SMALL, "engine": draw.choice(("vllm", "sglang")), "gpus": {"share": left}},
    }
    if draw.random() < 0.5:
        models = dict(reversed(models.items()))
    card = draw.choice(("l4", "l40s", "a100-sxm-80gb"))
    return spec({"type": card, "count": draw.choice((1, 1, 2))}, **models), ("docker", "compose")


def cpu(draw: random.Random) -> Case:
    model = chat(draw, _MODELS, ("vllm", "vllm", "sglang"))
    models = {"chat": {**model, "replicas": draw.choice((1, 1, 2))}}
    if draw.random() < 0.4:
        models["small"] = _SMALL
    if draw.random() < 0.3:
        models["chat"]["memory_fraction"] = draw.choice((0.3, 0.8))
    memory = draw.choice(("8GiB", "16GiB", "24GiB", "32GiB", "64GiB"))
    return spec({"type": "cpu", "memory": memory}, **models), draw.choice((("docker",), ("kubernetes",)))


def amd(draw: random.Random) -> Case:
    count = draw.choice((1, 2, 4))
    model = chat(draw, _LARGE, ("vllm", "sglang", "tgi"), gpus=count)
    pool = {"type": draw.choice(("mi300x", "mi325x")), "count": draw.choice((count, 8))}
    return spec(pool, chat=model), ("docker",)


def mig(draw: random.Random) -> Case:
    slice, gib = draw.choice((("1g.10gb", 9.75), ("2g.20gb", 19.5), ("3g.40gb", 39.5)))
    pool = {"type": "h100-sxm-80gb", "count": 7, "memory": f"{gib}GiB", "resource": f"nvidia.com/mig-{slice}"}
    return spec(pool, chat=chat(draw, _MODELS, ("vllm", "sglang", "tgi"))), ("kubernetes",)


def embeddings(draw: random.Random) -> Case:
    model = chat(draw, _MODELS, ("vllm", "sglang"), task="embed")
    return spec({"type": draw.choice(("l4", "rtx-4090")), "count": draw.choice((1, 3, 4))}, chat=model), (
        "docker",
    )


def beside(draw: random.Random) -> Case:
    """Another model has whole cards of the pool; on some hosts, each by its index."""
    engines = ("vllm", "sglang", "tgi")
    model = chat(draw, _MODELS, engines, gpus=draw.choice((1, 2)), replicas=draw.choice((1, 1, 2)))
    count = draw.choice((3, 4, 6, 8))
    pool = {"type": draw.choice(("l4", "rtx-4090")), "count": count, "nodes": draw.choice((1, 2))}
    if pool["nodes"] == 1 and draw.random() < 0.5:
        pool["devices"] = [str(index) for index in range(count)]
    targets = draw.choice((("docker",), ("kubernetes",)))
    return spec(pool, chat=model, small={**_SMALL, "gpus": draw.choice((1, 2))}), targets


def too_large(draw: random.Random) -> Case:
    """No count of the pool's card does, or more than it has."""
    engines = ("vllm", "sglang", "tgi")
    gpus = draw.choice((1, 1, 2, 4))
    model = chat(draw, _LARGE, engines, gpus=gpus, replicas=draw.choice((1, 1, 2)))
    models = {"chat": model} if draw.random() < 0.6 else {"chat": model, "small": _SMALL}
    pool = {"type": draw.choice(("t4", "l4", "l40s", "a100-sxm-40gb")), "count": 9}
    return spec(pool, **models), draw.choice((("docker",), ("kubernetes",)))


def shared_too_large(draw: random.Random) -> Case:
    """On one card, or on one of two."""
    share, cards = draw.choice((0.7, 0.8, 0.9)), draw.choice((1, 2))
    models = {
        "chat": chat(draw, ("Qwen/Qwen3-32B",), ("vllm", "sglang"), gpus={"share": share}),
        "small": {**_SMALL, "engine": draw.choice(("vllm", "tgi")), "gpus": {"share": 0.1}},
    }
    if cards == 2:
        models |= {name: {**_SMALL, "gpus": {"share": 0.5}} for name in ("left", "right")}
    card = draw.choice(("l40s", "a100-sxm-40gb", "rtx-5090"))
    return spec({"type": card, "count": cards}, **models), ("docker",)


def cases(draw: Callable[[random.Random], Case], many: int) -> Iterator[tuple[Case, str]]:
    """Draw specs of which nothing is wrong but that `chat` does not fit, or hardly."""
    chance = random.Random(draw.__name__)
    while many:
        case = draw(chance)
        result = compiled(*case)
        errors = {each.code for each in result.diagnostics if each.severity == "error"}
        code = next((code for code in FITS if found(result, code)), None)
        if code is not None and errors <= {"LD304"}:
            many -= 1
            yield case, code


@pytest.mark.parametrize(
    ("draw", "least"),
    [
        (shared, 8),
        (cpu, 6),
        (amd, 6),
        (mig, 3),
        (embeddings, 8),
        (beside, 8),
        (too_large, 6),
        (shared_too_large, 4),
    ],
)
def test_every_way_out_is_one(draw: Callable[[random.Random], Case], least: int) -> None:
    assert sum(kept(data, code, targets) for (data, targets), code in cases(draw, 6)) >= least


CPU = {"type": "cpu", "memory": "32GiB"}
L40S = {"type": "l40s", "count": 1}


@pytest.mark.parametrize(
    ("data", "name", "code", "expected"),
    [
        pytest.param(
            spec(CPU, chat={"source": "Qwen/Qwen3-8B", "context": 32768}),
            "chat",
            "LD519",
            ["set `context: 28672` with `memory_fraction: 0.25`", "a node with 48 GiB for pool `pool`"],
            id="less of a node for the KV cache leaves more to the weights",
        ),
        pytest.param(
            spec(CPU, chat={**_SMALL, "replicas": 2}, small={**_SMALL, "context": 32768}),
            "small",
            "LD304",
            [
                "set `context: 24576`",
                "`memory_fraction: 0.7`",
                "`kv_cache: {dtype: fp8}`",
                "a node with 48 GiB for pool `pool`",
            ],
            id="who else is on the node counts",
        ),
        pytest.param(
            spec(
                L40S,
                chat={"source": "Qwen/Qwen3-4B", "context": 32768, "gpus": {"share": 0.25}},
                small={**_SMALL, "gpus": {"share": 0.7}},
            ),
            "chat",
            "LD304",
            [
                "set `context: 1024`",
                "`gpus.share: 0.35` with `gpus.share: 0.65` of `small`",
                "leave `share` out of `chat` and `small` where pool `pool` has 2 cards "
                "(room for 6 requests of 32768 tokens)",
            ],
            id="a neighbour gives what it can do without",
        ),
    ],
)
def test_what_is_offered(data: Any, name: str, code: str, expected: list[str]) -> None:
    diagnostic = found(compiled(data), code, name)
    assert diagnostic and ways(diagnostic) == expected
    kept(data, code, name=name)


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_a_node_of_cpus_is_offered_no_gpus_and_no_share_of_a_card(engine: str) -> None:
    data = spec(
        {"type": "cpu", "memory": "3GiB"}, chat={"source": "Qwen/Qwen3-4B", "engine": engine, "context": 4096}
    )
    diagnostic = found(compiled(data), "LD304")
    assert diagnostic
    said = [diagnostic.message, diagnostic.help or "", *(note.text for note in diagnostic.notes)]
    assert not any(word in text for text in said for word in ("GPU", "card", "CUDA", "gpus.count"))


def test_fewer_requests_are_as_many_as_are_held_at_full_length() -> None:
    data = spec(
        {"type": "l4", "count": 2},
        chat={"source": "Qwen/Qwen3-4B", "context": 32768, "gpus": {"count": 2, "share": 0.4}},
        small={**_SMALL, "gpus": {"share": 0.5}},
    )
    diagnostic = found(compiled(data), "LD519")
    assert diagnostic
    assert [way for way in ways(diagnostic) if way.startswith("`concurrency")] == ["`concurrency: 1`"]

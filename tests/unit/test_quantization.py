"""Intent × engine × GPU × checkpoint: the flag, no flag, or the reason why not."""

from __future__ import annotations

from typing import Any

import pytest
from support.settings import ENGINES

from llmdeploy.catalog import ModelFacts, flags, methods
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.quantization import Choice, Problem, choose

OTHERWISE, CHECKPOINT = Problem.QUANTIZED_OTHERWISE, Problem.NEEDS_CHECKPOINT
EXPERTS, LACKS = Problem.NEEDS_EXPERTS, Problem.UNKNOWN_TO_ENGINE
IMAGE, GPU = Problem.NOT_IN_IMAGE, Problem.NOT_ON_ACCELERATOR

T4, A100, L4, H100, B200 = "7.5", "8.0", "8.9", "9.0", "10.0"


def pool(where: str) -> Hardware:
    """A compute capability, an AMD target, or `cpu`."""
    vendor = "cpu" if where == "cpu" else "amd" if where.startswith("gfx") else "nvidia"
    return Hardware(
        name="pool",
        vendor=vendor,
        title="a GPU",
        memory_gib=80,
        capability=where if vendor == "nvidia" else None,
        arch=where if vendor == "amd" else None,
        resource=None,
        products=(),
        count=8,
        nodes=1,
        devices=(),
        sliced=False,
    )


def facts(checkpoint: str | None) -> ModelFacts | None:
    """`awq:4` is a format and its bits; `moe` behind a `+` makes it a mixture; None: nothing is known."""
    if checkpoint is None:
        return None
    format, _, mixture = checkpoint.partition("+")
    format, _, bits = format.partition(":")
    return ModelFacts(
        id="m",
        source="test",
        experts=8 if mixture else 0,
        quantization=format,
        quantization_bits=int(bits) if bits else None,
    )


def chosen(
    stated: str | None, engine: str, where: str, checkpoint: str | None, version: str | None, own: bool
) -> Choice:
    limits = ENGINES[engine].limits(version or ENGINES[engine].versions[0])
    return choose(stated, facts(checkpoint), limits, pool(where), own_image=own)


# intent, engine, where, checkpoint -> the engine's word, None for no flag, or the problem.
TABLE: list[tuple[str | None, str, str, str | None, Any]] = [
    # plain weights
    (None, "vllm", H100, "plain", None),
    ("none", "vllm", H100, "plain", None),
    ("fp8", "vllm", H100, "plain", "fp8"),
    ("fp8", "vllm", T4, "plain", "fp8"),
    ("fp8", "vllm", "gfx942", "plain", "fp8"),
    ("fp8", "vllm", "cpu", "plain", GPU),
    ("fp8", "sglang", H100, "plain", "fp8"),
    ("fp8", "sglang", "gfx942", "plain", "fp8"),
    ("fp8", "sglang", "cpu", "plain", GPU),
    ("fp8", "tgi", A100, "plain", "fp8"),
    ("fp8", "tgi", "gfx942", "plain", "fp8"),
    ("int8", "vllm", H100, "plain+moe", "int8_per_channel_weight_only"),
    ("int8", "vllm", H100, "plain", EXPERTS),
    ("int8", "vllm", "gfx942", "plain+moe", GPU),
    ("int8", "sglang", H100, "plain", CHECKPOINT),
    ("int8", "tgi", H100, "plain", "eetq"),
    ("int8", "tgi", "gfx942", "plain", GPU),
    ("int4", "vllm", H100, "plain", IMAGE),
    ("int4", "sglang", H100, "plain", CHECKPOINT),
    ("int4", "tgi", H100, "plain", "bitsandbytes-nf4"),
    ("awq", "vllm", H100, "plain", CHECKPOINT),
    ("gptq", "sglang", H100, "plain", CHECKPOINT),
    ("awq", "tgi", H100, "plain", CHECKPOINT),
    ("nvfp4", "vllm", B200, "plain+moe", "nvfp4_per_token"),
    ("nvfp4", "vllm", "12.0", "plain+moe", GPU),
    ("nvfp4", "vllm", H100, "plain+moe", GPU),
    ("nvfp4", "vllm", B200, "plain", EXPERTS),
    ("nvfp4", "sglang", B200, "plain", CHECKPOINT),
    ("nvfp4", "tgi", B200, "plain", LACKS),
    ("mxfp4", "vllm", H100, "plain", "mxfp4"),
    ("mxfp4", "sglang", H100, "plain", CHECKPOINT),
    ("bitsandbytes", "vllm", H100, "plain", IMAGE),
    ("bitsandbytes", "sglang", H100, "plain", LACKS),
    ("bitsandbytes", "tgi", H100, "plain", "bitsandbytes"),
    ("gguf", "vllm", H100, "plain", LACKS),
    ("gguf", "sglang", H100, "plain", LACKS),
    ("gguf", "tgi", H100, "plain", LACKS),
    # nothing is known of the checkpoint: the engine is told, and will compare
    (None, "vllm", H100, None, None),
    ("awq", "vllm", H100, None, "awq"),
    ("awq", "vllm", "cpu", None, "awq"),
    ("awq", "sglang", H100, None, "awq_marlin"),
    ("awq", "sglang", "gfx942", None, "awq"),
    ("awq", "tgi", "cpu", None, "awq"),
    ("awq", "tgi", "gfx942", None, GPU),
    ("gptq", "vllm", "gfx942", None, "gptq"),
    ("gptq", "sglang", H100, None, "gptq_marlin"),
    ("gptq", "sglang", "gfx942", None, GPU),
    ("gptq", "sglang", "cpu", None, "gptq"),
    ("fp8", "vllm", H100, None, "fp8"),
    ("nvfp4", "vllm", A100, None, "modelopt_fp4"),
    ("nvfp4", "sglang", B200, None, "modelopt_fp4"),
    ("int8", "sglang", H100, None, "w8a8_int8"),
    ("int8", "vllm", H100, None, "int8_per_channel_weight_only"),
    ("int4", "sglang", H100, None, CHECKPOINT),
    ("mxfp4", "sglang", "gfx942", None, GPU),
    ("mxfp4", "sglang", "gfx950", None, "mxfp4"),
    # a checkpoint that is so already: no flag, under any of its names
    (None, "vllm", H100, "awq:4", None),
    ("awq", "vllm", H100, "awq:4", None),
    ("int4", "vllm", H100, "awq:4", None),
    ("int4", "sglang", H100, "gptq:4", None),
    ("int8", "tgi", H100, "gptq:8", None),
    ("int4", "vllm", H100, "compressed-tensors/w4a16:4", None),
    ("fp8", "vllm", A100, "compressed-tensors/w8a8-fp8:8", None),
    ("fp8", "sglang", H100, "modelopt/fp8", None),
    ("nvfp4", "vllm", T4, "modelopt/nvfp4", None),
    ("mxfp4", "vllm", A100, "mxfp4", None),
    ("bitsandbytes", "vllm", H100, "bitsandbytes:4", IMAGE),
    # a checkpoint that is something else
    ("none", "vllm", H100, "fp8", OTHERWISE),
    ("fp8", "vllm", H100, "awq:4", OTHERWISE),
    ("awq", "vllm", H100, "gptq:4", OTHERWISE),
    ("int4", "vllm", H100, "gptq:8", OTHERWISE),
    ("awq", "vllm", H100, "compressed-tensors/w4a16:4", OTHERWISE),
    ("fp8", "vllm", H100, "modelopt/mixed", OTHERWISE),
    # what loads where
    (None, "vllm", T4, "mxfp4", GPU),
    (None, "vllm", T4, "modelopt/fp8", GPU),
    (None, "sglang", A100, "modelopt/fp8", GPU),
    (None, "vllm", L4, "compressed-tensors/w4a8-fp8:4", GPU),
    (None, "vllm", B200, "compressed-tensors/w4a8-fp8:4", GPU),
    (None, "vllm", H100, "compressed-tensors/w4a8-fp8:4", None),
    (None, "vllm", "cpu", "fp8", GPU),
    (None, "sglang", "cpu", "fp8", None),
    (None, "vllm", H100, "fbgemm_fp8", LACKS),
    (None, "tgi", H100, "fbgemm_fp8", None),
    (None, "tgi", H100, "modelopt/nvfp4", LACKS),
    # a format of which nothing is known is not judged
    (None, "tgi", H100, "quark", None),
    (None, "vllm", H100, "modelopt/mixed", None),
]


@pytest.mark.parametrize(("stated", "engine", "where", "checkpoint", "expected"), TABLE)
def test_intent_becomes_a_flag_or_none_or_a_reason(
    stated: str | None, engine: str, where: str, checkpoint: str | None, expected: Any
) -> None:
    choice = chosen(stated, engine, where, checkpoint, None, own=False)
    assert (choice.problem or choice.flag) == expected


@pytest.mark.parametrize(
    ("version", "stated", "where", "expected"),
    [
        ("0.27.0", "bitsandbytes", H100, "bitsandbytes"),
        ("0.28.0", "bitsandbytes", H100, IMAGE),
        ("0.27.0", "int4", H100, "bitsandbytes"),
        ("0.19.1", "int8", H100, CHECKPOINT),
        ("0.20.0", "int8", H100, "int8_per_channel_weight_only"),
        ("0.26.0", "nvfp4", B200, "nvfp4_per_token"),
        ("0.24.0", "nvfp4", B200, CHECKPOINT),
    ],
)
def test_releases_differ(version: str, stated: str, where: str, expected: Any) -> None:
    choice = chosen(stated, "vllm", where, "plain+moe", version, own=False)
    assert (choice.problem or choice.flag) == expected


def test_releases_differ_in_what_they_load() -> None:
    assert chosen(None, "vllm", A100, "modelopt/fp8", "0.26.0", own=False).problem is GPU
    assert chosen(None, "vllm", A100, "modelopt/fp8", "0.27.0", own=False).problem is None


def test_an_image_of_ones_own_may_have_the_plug_in() -> None:
    assert chosen("bitsandbytes", "vllm", H100, "plain", None, own=True).flag == "bitsandbytes"
    assert chosen(None, "vllm", H100, "bitsandbytes:4", None, own=True).problem is None


def test_where_the_capability_is_not_known_it_may_suffice() -> None:
    limits = ENGINES["vllm"].limits("0.33.0")
    unknown = choose(
        "fp8",
        facts("plain"),
        limits,
        Hardware(**{**as_dict(pool(H100)), "capability": None}),
        own_image=False,
    )
    assert unknown.flag == "fp8"


def as_dict(hardware: Hardware) -> dict[str, Any]:
    return {name: getattr(hardware, name) for name in Hardware.__slots__}


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_every_flag_is_in_the_registry_of_its_release(engine: str) -> None:
    """As the engine's own source has it, release by release."""
    table = flags.flag_table(engine)
    assert table is not None
    for version in table.versions:
        known = table.registry("quantization", version) or table.at(version)["--quantization"].choices
        own = {method.flag for method in methods(engine, version) if method.flag and not method.package}
        assert own <= set(known), version

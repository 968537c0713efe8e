"""What a number of a flag may be is what the engines themselves say when they make their configuration of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.settings import ENGINES, settings

from llmdeploy.catalog.flags import Flag, flag_table

RELEASES = [
    pytest.param("0.32.0", "vllm-0.32", marks=pytest.mark.xdist_group("vllm-0.32")),
    pytest.param("0.33.0", "vllm-0.33", marks=pytest.mark.xdist_group("vllm-0.33")),
]

LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "torch_dtype": "bfloat16",
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 512,
    "max_position_embeddings": 2048,
}

#: What a flag wants beside itself for its class to be made.
BESIDE = {"--max-loras": ["--enable-lora"], "--max-lora-cls-labels": ["--enable-lora"]}
#: Of models that see, which this one does not.
SEEING = ("--mm-", "--video-")
#: Read by processes that a configuration alone does not start.
NOT_READ = {"--data-parallel-rank"}

#: Bounds of rows that a configuration shows: the words of a command line, and whether it is refused.
ROWS = {
    "vllm-0.33": {
        "--max-cudagraph-capture-size=-3": True,
        "--max-cudagraph-capture-size=0": True,
        "--max-cudagraph-capture-size=1": False,
        "--max-cudagraph-capture-size=0 --enforce-eager": False,
        "--compilation-config.max_cudagraph_capture_size=-3": True,
        "--optimization-level=7": True,
        "--optimization-level=3": False,
        "--decode-context-parallel-size=3": True,
    },
    "sglang-0.5.23": {
        "--page-size=0": True,
        "--page-size=1": False,
        # No divisor of the step.
        "--page-size=7": True,
        "--page-size=64": False,
        "--swa-full-tokens-ratio=0": True,
        "--swa-full-tokens-ratio=7": True,
        "--swa-full-tokens-ratio=1": False,
    },
}


def outside(flag: Flag) -> Iterator[str]:
    """Numbers just beyond each bound."""
    step = 1 if flag.type in ("int", "size") else 0.01
    for word, by in (("ge", -step), ("gt", 0), ("le", step), ("lt", 0)):
        if word in flag.bounds:
            yield f"{flag.bounds[word] + by:g}"


@pytest.mark.parametrize(("version", "name"), RELEASES)
def test_vllm_refuses_what_is_beyond_a_bound_of_the_catalog(oracle, tmp_path, version, name):
    table = flag_table("vllm")
    assert table is not None
    owned = {found.name for mine in ENGINES["vllm"].table.owned_flags if (found := table.find(mine, version))}
    taken = {}
    for flag in table.at(version).values():
        if flag.name in NOT_READ | owned or flag.name.startswith(SEEING):
            continue
        for value in outside(flag):
            words = ["org/model", f"{flag.name}={value}", *BESIDE.get(flag.name, ())]
            complaint = oracle(name).complaint(words, LLAMA, folder=tmp_path)
            given = settings("vllm", version=version, engine_args={flag.name: value})
            ours = [each.code for each in ENGINES["vllm"].lower(given).diagnostics]
            if not complaint or "LD319" not in ours:
                taken[flag.name, value] = (complaint, ours)
    assert taken == {}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ROWS])
def test_an_engine_refuses_what_a_row_says_and_nothing_more(oracle, tmp_path, name):
    first = ["--model-path", "org/model"] if name.startswith("sglang") else ["org/model"]
    machine = {"folder": tmp_path, "gpus": 1, "capability": (9, 0), "memory_gib": 80}
    found = {
        words: oracle(name).complaint([*first, *words.split()], LLAMA, **machine) is not None
        for words in ROWS[name]
    }
    assert found == ROWS[name]

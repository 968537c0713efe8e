"""Numbers that an engine's parser takes and the engine refuses: said where they stand, and taken into no ledger."""

from __future__ import annotations

from typing import Any

import pytest
from support.settings import ENGINES, settings

from llmdeploy.catalog.flag_bounds import all_bounds
from llmdeploy.catalog.flags import flag_table
from llmdeploy.engines.arguments.bounds import Limits
from llmdeploy.memory.options import of_engine


def said(engine: str, engine_args: dict[str, Any], **more: Any) -> list[tuple[str, str, str]]:
    lowered = ENGINES[engine].lower(settings(engine, engine_args=engine_args, **more))
    return [(each.code, each.message, each.help or "") for each in lowered.diagnostics]


@pytest.mark.parametrize(
    ("engine", "flag", "value", "message", "help"),
    [
        ("vllm", "cpu-offload-gb", -5, "takes 0 or more, not `-5`", "write 0 or more"),
        ("vllm", "cpu-offload-gb", "-5", "takes 0 or more, not `-5`", "write 0 or more"),
        ("vllm", "max-num-scheduled-tokens", "0k", "takes 1 or more, not `0k`", "write 1 or more"),
        (
            "vllm",
            "watermark",
            1,
            "takes 0 or more and less than 1, not `1`",
            "write 0 or more and less than 1",
        ),
        ("vllm", "block-size", 7, "takes a multiple of 16, not `7`", "no kernel of attention"),
        ("vllm", "block-size", 0, "takes a multiple of 16, not `0`", "no kernel of attention"),
        ("vllm", "cudagraph-capture-sizes", [8, 0], "takes 1 or more, not `0`", "`enforce-eager: true`"),
        ("vllm", "num_gpu_blocks_override", 1, "takes 2 or more, not `1`", "never gives out the first block"),
        ("vllm", "optimization-level", 7, "takes 0 to 3, not `7`", "write 0 to 3"),
        ("vllm", "compilation-config.max-cudagraph-capture-size", -3, "takes 1 or more, not `-3`", "write 1"),
        (
            "sglang",
            "swa-full-tokens-ratio",
            7,
            "takes more than 0 and at most 1, not `7`",
            "write more than 0",
        ),
        ("sglang", "page-size", 0, "takes 1 or more, not `0`", "write 1 or more"),
        ("tgi", "TGI_WIGGLE_ROOM", 7, "takes more than 0 and less than 1, not `7`", "write more than 0"),
    ],
)
def test_a_number_out_of_bounds_is_refused_with_the_bounds(
    engine: str, flag: str, value: Any, message: str, help: str
) -> None:
    ((_, found, advice),) = [each for each in said(engine, {flag: value}) if each[0] == "LD319"]
    assert found == f"`{flag}` {message}"
    assert help in advice


@pytest.mark.parametrize(
    ("engine", "engine_args"),
    [
        ("vllm", {"cpu-offload-gb": 0}),
        ("vllm", {"block-size": 32}),
        ("vllm", {"num-gpu-blocks-override": 2}),
        ("vllm", {"optimization-level": "3"}),
        ("vllm", {"max-model-len": -1}),
        ("vllm", {"cudagraph-capture-sizes": [1, 2]}),
        # Nothing is captured, and nobody looks.
        ("vllm", {"max-cudagraph-capture-size": 0, "enforce-eager": True}),
        ("sglang", {"swa-full-tokens-ratio": 1.0}),
        ("sglang", {"cuda-graph-max-bs-decode": 0}),
        ("tgi", {"TGI_WIGGLE_ROOM": 0.95}),
    ],
)
def test_a_number_at_its_bound_is_taken(engine: str, engine_args: dict[str, Any]) -> None:
    assert "LD319" not in {code for code, _, _ in said(engine, engine_args)}


def test_a_field_of_a_mapping_is_told_at_the_field() -> None:
    given = {"compilation-config": {"max_cudagraph_capture_size": -3}}
    lowered = ENGINES["vllm"].lower(settings("vllm", engine_args=given))
    (found,) = [each for each in lowered.diagnostics if each.code == "LD319"]
    assert found.path[-1] == "max_cudagraph_capture_size"


def test_a_variable_in_env_is_held_to_the_same_bounds() -> None:
    lowered = ENGINES["tgi"].lower(settings("tgi", env={"TGI_WIGGLE_ROOM": "7"}))
    assert "LD319" in {each.code for each in lowered.diagnostics}


def test_blocks_of_one_token_are_amds_own() -> None:
    assert "LD319" not in {code for code, _, _ in said("vllm", {"block-size": 1}, vendor="amd")}


def test_a_release_has_the_bounds_that_its_own_classes_had() -> None:
    table = flag_table("vllm")
    assert table is not None
    assert table.at("0.18.1")["--gpu-memory-utilization"].bounds == {"gt": 0, "le": 1}
    assert table.at("0.22.1")["--decode-context-parallel-size"].bounds == {}
    assert table.at("0.33.0")["--decode-context-parallel-size"].bounds == {"ge": 1}


def test_what_no_number_is_is_in_no_bounds() -> None:
    assert not Limits(ge=0).hold(float("nan"))


@pytest.mark.parametrize("row", all_bounds(), ids=lambda row: f"{row.engine} {row.name} {row.field}")
def test_a_row_is_of_a_flag_that_some_release_has_and_moves_memory(row: Any) -> None:
    table = flag_table(row.engine)
    assert table is not None and row.name in {
        *table.names(),
        *(flag.env for flag in table.at(table.versions[-1]).values()),
    }
    name = row.name.removeprefix("--") + (f".{row.field}" if row.field else "")
    modelled = of_engine(f"llmdeploy.engines.{row.engine}").of(name, ())
    assert modelled is not None and modelled.effect == "modelled"

"""Flags, values and variables that engines dropped: each with the release that did, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from support.settings import ENGINES, settings

from llmdeploy.catalog.flag_changes import all_changes, change
from llmdeploy.catalog.versions import order
from llmdeploy.engines.arguments.parser import owned, parser_of
from llmdeploy.engines.arguments.spelling import is_name, split
from llmdeploy.spec.model import Model


@dataclass(frozen=True)
class Row:
    """`says` is part of the message, `help` of the help. `before`: a version that has it, if one is known."""

    engine: str
    name: str
    code: str
    help: str
    says: str = ""
    version: str | None = None
    before: str | None = None
    value: Any = True


def vllm(name: str, gone: str, help: str, **more: Any) -> Row:
    return Row("vllm", name, "LD317", help, f"since {gone}", **more)


def sglang(name: str, gone: str, help: str, **more: Any) -> Row:
    return Row("sglang", name, "LD317", help, f"since {gone}", **more)


LEAVE_OUT = "leave it out"

#: Every row of the table of removed and renamed flags that this was built from.
TABLE = [
    vllm("disable-log-requests", "0.17.0", LEAVE_OUT, version="0.32.0", before="0.33.0"),
    vllm("guided-decoding-backend", "0.12.0", "use `structured_output.backend`"),
    vllm("guided-decoding-disable-fallback", "0.12.0", "use `structured_output.backend`"),
    vllm("swap-space", "0.18.0", LEAVE_OUT, value=4),
    vllm("num-lookahead-slots", "0.12.0", LEAVE_OUT, value=4),
    vllm("speculative-model", "0.8.3", "use `speculative`", value="org/draft"),
    vllm("ngram-prompt-lookup-max", "0.8.3", "use `speculative`", value=4),
    vllm("use-v2-block-manager", "0.10.0", LEAVE_OUT),
    vllm("num-scheduler-steps", "0.10.1", LEAVE_OUT, value=8),
    vllm("multi-step-stream-outputs", "0.10.1", LEAVE_OUT),
    vllm("preemption-mode", "0.11.0", LEAVE_OUT, value="swap"),
    vllm("worker-use-ray", "0.7.0", "`distributed-executor-backend: ray`"),
    vllm("device", "0.10.0", "use `gpus`", value="cuda"),
    vllm("task", "0.13.0", "use `task`", value="embed"),
    vllm("max-seq-len-to-capture", "0.11.0", "`max-cudagraph-capture-size`", value=8192),
    vllm("cuda-graph-sizes", "0.13.0", "`cudagraph-capture-sizes`", value=[1, 2]),
    vllm("enable-reasoning", "0.10.0", "use `reasoning.parser`"),
    vllm("enable-prompt-adapter", "0.10.2", LEAVE_OUT),
    vllm("rope-scaling", "0.11.1", "`hf-overrides.rope_scaling`", value={"rope_type": "yarn"}),
    vllm("rope-theta", "0.11.1", "`hf-overrides.rope_theta`", value=1e6),
    vllm("override-pooler-config", "0.12.0", "`pooler-config`", value={}),
    vllm("disable-mm-preprocessor-cache", "0.13.0", "`mm-processor-cache-gb: 0`"),
    vllm("disable-frontend-multiprocessing", "0.19.0", LEAVE_OUT),
    vllm("logits-processor-pattern", "0.17.0", "`logits-processors`", value="x"),
    vllm("max-num-partial-prefills", "0.27.0", "`long-prefill-token-threshold`", value=2),
    vllm("max-long-partial-prefills", "0.27.0", "`long-prefill-token-threshold`", value=2),
    vllm("calculate-kv-scales", "0.28.0", LEAVE_OUT),
    vllm("override-attention-dtype", "0.28.0", "use `dtype`", value="float16"),
    vllm("load-format", "0.28.0", "AWQ or GPTQ checkpoint", value="bitsandbytes"),
    vllm("load-format", "0.24.0", "safetensors checkpoint", value="gguf"),
    Row("vllm", "limit-mm-per-prompt", "LD306", "use `multimodal`", value="image=2"),
    Row("vllm", "compilation-config", "LD319", "write a mapping", "takes JSON", value=3),
    *(
        Row("vllm", name, "LD318", 'engine_version: "0.33.0"', "since 0.33.0", "0.32.0", "0.33.0", value)
        for name, value in {
            "reasoning-effort-map": {},
            "sleep-mode-backend": "x",
            "monokernel": True,
            "watchdog-config": {},
        }.items()
    ),
    Row("vllm", "ir-op-priority", "LD515", "the platform chooses", "0.34.0 is to drop it", value={}),
    Row("vllm", "model", "LD306", "use `source`", value="org/model"),
    Row(
        "sglang",
        "disable-cuda-graph",
        "LD515",
        "`cuda-graph-backend-decode: disabled` and `cuda-graph-backend-prefill: disabled`",
    ),
    Row("sglang", "enable-dp-attention", "LD515", "`attn-dp-size`"),
    sglang("cuda-graph-max-bs", "0.5.20", "`cuda-graph-max-bs-decode`", value=8),
    sglang("cuda-graph-bs", "0.5.20", "`cuda-graph-bs-decode`", value=[8]),
    sglang("enable-ep-moe", "0.5.5", "use `parallel.expert`"),
    sglang("enable-deepep-moe", "0.5.5", "`moe-a2a-backend: deepep`"),
    sglang("enable-flashinfer-mla", "0.4.8", "`attention-backend: flashinfer`"),
    sglang("hybrid-kvcache-ratio", "0.5.14", "`swa-full-tokens-ratio`", value=0.5),
    sglang("torchao-config", "0.5.18", "use `quantization`", value="fp8wo"),
    sglang("disable-flashinfer", "0.4.6", "`attention-backend: triton`"),
    sglang("enable-llama4-multimodal", "0.4.6", "`enable-multimodal`"),
    sglang("stream-output", "0.5.20", "`incremental-streaming-output`"),
    Row("tgi", "max-input-length", "LD306", "use `context`", value=1000),
    Row("openllm", "backend", "LD317", "a model's tag decides", "since 0.5.0", value="vllm"),
    Row("openllm", "quantize", "LD317", "a tag of its own", "since 0.6.0", value="int4"),
]


def found(row: Row, version: str | None) -> list[Any]:
    changes = {"version": version} if version else {}
    result = ENGINES[row.engine].lower(settings(row.engine, engine_args={row.name: row.value}, **changes))
    return [each for each in result.diagnostics if row.name in each.path]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.engine}-{row.name}")
def test_a_flag_that_is_gone_says_since_when_and_what_instead(row):
    (finding,) = found(row, row.version)
    assert finding.code == row.code
    assert row.says in finding.message
    assert row.help in finding.help
    if row.before:
        assert found(row, row.before) == []


@pytest.mark.parametrize(
    ("engine", "name", "says", "help"),
    [
        ("vllm", "VLLM_ATTENTION_BACKEND", "since 0.15.0", "`engine_args: {attention-backend: …}`"),
        ("vllm", "VLLM_USE_V1", "since 0.11.1", LEAVE_OUT),
        ("vllm", "VLLM_TORCH_PROFILER_DIR", "since 0.16.0", "profiler-config"),
        ("vllm", "VLLM_LOGING_LEVEL", "reads no", "did you mean `VLLM_LOGGING_LEVEL`?"),
        ("sglang", "SGLANG_LOGGING_CONFIG_PTH", "reads no", "did you mean `SGLANG_LOGGING_CONFIG_PATH`?"),
        ("tgi", "MAX_BATCH_TOTL_TOKENS", "reads no", "did you mean `MAX_BATCH_TOTAL_TOKENS`?"),
    ],
)
def test_a_variable_that_is_not_read_says_so(engine, name, says, help):
    result = ENGINES[engine].lower(settings(engine, env={name: "1"}))
    (finding,) = [each for each in result.diagnostics if name in each.path]
    assert finding.code == "LD516"
    assert says in finding.message and help in finding.help


@pytest.mark.parametrize("engine", ["vllm", "sglang", "tgi"])
def test_variables_that_are_read_and_those_of_others_are_not_spoken_of(engine):
    env = {"NCCL_DEBUG": "INFO", "VLLM_LOGGING_LEVEL": "INFO", "SGLANG_HEALTH_CHECK_TIMEOUT": "5", "X": "1"}
    result = ENGINES[engine].lower(settings(engine, env=env))
    assert not [each for each in result.diagnostics if "env" in each.path]


ROWS = [row for row in all_changes() if row.engine != "openllm"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.engine}-{row.name}-{row.value or ''}")
def test_what_a_row_advises_is_there_and_is_the_users(row):
    """A flag that is itself gone, or that the compiler decides, would be no advice."""
    table = ENGINES[row.engine].table
    parser = parser_of(table, table.versions[0])
    for advice in row.write:
        key = advice.removeprefix("engine_args: {").partition(":")[0]
        spelling, field = split(key)
        spelled = parser.find(spelling)
        assert is_name(key) and spelled, key
        assert owned(spelling, table, parser) is None, key
        assert not field or spelled.flag.type == "json", key
    if row.use:
        first, _, rest = row.use.partition(".")
        inner = Model.model_fields[first].annotation
        assert not rest or any(rest in getattr(each, "model_fields", {}) for each in _choices(inner))


def _choices(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__args__", (annotation,))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.engine}-{row.name}-{row.value or ''}")
def test_a_row_is_true_of_every_release_of_the_catalog(row):
    """What it says was dropped is there just before, and not from then on; what is deprecated is still there."""
    table = ENGINES[row.engine].table
    before = []
    back = (0, 33) if row.name == "--disable-log-requests" else None
    for version in ENGINES[row.engine].releases():
        parser = parser_of(table, version)
        if row.value is not None and row.field is None:
            there = row.value in parser.catalog.registry("load_format", version)
        elif row.name.startswith("-"):
            there = parser.find(row.name) is not None
        else:
            there = row.name in parser.catalog.registry("env", version)
        if row.removed is not None:
            if order(version) < order(row.removed):
                before.append(there)
            else:
                assert there == (back is not None and order(version) >= back), version
        elif row.deprecated is not None and order(row.deprecated) <= order(version):
            assert there, version
        elif row.deprecated is None:
            assert not there, version
    # From some release on it was there until it was dropped.
    assert before == sorted(before) and all(before[-1:])


def test_no_flag_has_two_rows():
    keys = [(row.engine, row.name, row.field, row.value) for row in all_changes()]
    assert len(set(keys)) == len(keys)
    assert change("vllm", "--no-such-flag") is None

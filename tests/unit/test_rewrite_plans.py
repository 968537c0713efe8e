"""What `migrate` and `upgrade` plan for one entry."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmdeploy.catalog.meanings import Spelling, meanings
from llmdeploy.compiler import compile
from llmdeploy.registry import ENGINES
from llmdeploy.rewrite import migrate, upgrade
from llmdeploy.rewrite.convert import NoCounterpart, converted
from llmdeploy.rewrite.edits import applied, whole
from llmdeploy.rewrite.report import Kind, Rewrite


def after(rewrite: Rewrite, stated: dict[str, Any]) -> dict[str, Any]:
    data = {"models": {"m": stated}}
    model = applied(data, whole(data, rewrite.edits))["models"]["m"]
    return {
        key: value for key, value in model.items() if key not in ("engine", "engine_version") and value != {}
    }


def migrated(before: str, to: str, **stated: Any) -> tuple[dict[str, Any], Rewrite]:
    old, new = ENGINES[before].table, ENGINES[to].table
    rewrite = migrate.plan("m", stated, old, new, old.versions[0])
    return after(rewrite, stated), rewrite


@pytest.mark.parametrize(
    ("way", "stated", "becomes"),
    [
        # the same thing under another name, the same name with another word, a number that is counted otherwise
        ("vllm-sglang", {"seed": 7}, {"engine_args": {"random-seed": 7}}),
        ("vllm-sglang", {"--seed": 7}, {"engine_args": {"random-seed": 7}}),
        ("vllm-sglang", {"block_size": 16}, {"engine_args": {"page-size": 16}}),
        ("vllm-sglang", {"attention-backend": "TRITON_ATTN"}, {"engine_args": {"attention-backend": "triton"}}),
        ("sglang-vllm", {"attention-backend": "fa3"}, {"engine_args": {"attention-backend": "FLASH_ATTN"}}),
        ("vllm-sglang", {"max-loras": 3}, {"engine_args": {"max-loras-per-batch": 4}}),
        ("sglang-vllm", {"max-loras-per-batch": 4}, {"engine_args": {"max-loras": 3}}),
        ("vllm-sglang", {"mm-processor-cache-gb": 2}, {"engine_args": {"mm-preprocess-cache-size-mb": 2048}}),
        ("sglang-vllm", {"mm-preprocess-cache-size-mb": 512}, {"engine_args": {"mm-processor-cache-gb": 0.5}}),
        # a switch and its opposites
        ("vllm-sglang", {"async-scheduling": False}, {"engine_args": {"disable-overlap-schedule": True}}),
        ("vllm-sglang", {"no-async-scheduling": True}, {"engine_args": {"disable-overlap-schedule": True}}),
        ("vllm-sglang", {"async-scheduling": True}, {}),
        ("sglang-vllm", {"disable-overlap-schedule": True}, {"engine_args": {"async-scheduling": False}}),
        ("vllm-sglang", {"disable-log-requests": True}, {}),
        ("vllm-sglang", {"enable-log-requests": True}, {"engine_args": {"log-requests": True}}),
        # what is a field here
        ("vllm-sglang", {"max-model-len": 8192}, {"context": 8192}),
        ("vllm-sglang", {"no-enable-prefix-caching": True}, {"prefix_caching": False}),
        ("vllm-sglang", {"enable-prefix-caching": False}, {"prefix_caching": False}),
        ("vllm-sglang", {"tool-call-parser": "hermes"}, {"tools": {"parser": "hermes"}}),
        ("vllm-sglang", {"kv-cache-dtype": "fp8"}, {"kv_cache": {"dtype": "fp8"}}),
        ("sglang-vllm", {"disable-radix-cache": True}, {"prefix_caching": False}),
        ("tgi-vllm", {"max-batch-prefill-tokens": 4096}, {"batch_tokens": 4096}),
        ("tgi-sglang", {"speculate": 3}, {"speculative": {"method": "ngram", "tokens": 3}}),
        (
            "vllm-sglang",
            {"speculative-config": {"method": "draft_model", "model": "a/b", "num_speculative_tokens": 3}},
            {"speculative": {"method": "draft", "tokens": 3, "model": "a/b"}},
        ),
        ("vllm-sglang", {"structured-outputs-config.backend": "guidance"}, {"structured_output": {"backend": "guidance"}}),
        ("sglang-vllm", {"grammar-backend": "llguidance"}, {"structured_output": {"backend": "guidance"}}),
        ("sglang-vllm", {"grammar-backend": "none"}, {}),
        (
            "sglang-vllm",
            {"constrained-json-disable-any-whitespace": True},
            {
                "engine_args": {"structured-outputs-config.disable_any_whitespace": True},
                "structured_output": {"backend": "xgrammar"},
            },
        ),
        ("vllm-sglang", {"limit-mm-per-prompt": {"image": 2}}, {"multimodal": {"image": 2}}),
        # one flag, two flags
        (
            "vllm-sglang",
            {"enforce-eager": True},
            {"engine_args": {"disable-decode-cuda-graph": True, "disable-prefill-cuda-graph": True}},
        ),
        (
            "sglang-vllm",
            {"disable-decode-cuda-graph": True, "disable-prefill-cuda-graph": True},
            {"engine_args": {"enforce-eager": True}},
        ),
        ("sglang-vllm", {"disable-cuda-graph": True, "disable-decode-cuda-graph": True}, {"engine_args": {"enforce-eager": True}}),
        # a flag that is a variable there
        ("sglang-vllm", {"log-level": "warning"}, {"env": {"VLLM_LOGGING_LEVEL": "WARNING"}}),
        ("sglang-vllm", {"enable-deterministic-inference": True}, {"env": {"VLLM_BATCH_INVARIANT": "1"}}),
        ("vllm-sglang", {"cpu-offload-gb": 8}, {"engine_args": {"cpu-offload-gb": 8}}),
        ("vllm-sglang", {"cpu-offload-gb": 0.5}, {}),
        ("sglang-vllm", {"uvicorn-access-log-exclude-prefixes": ["/health"]}, {"engine_args": {"disable-access-log-for-endpoints": "/health"}}),
        ("tgi-vllm", {"cors-allow-origin": "*"}, {"engine_args": {"allowed-origins": ["*"]}}),
        # one value of a flag has a counterpart, another has none
        ("tgi-vllm", {"cuda-graphs": 0}, {"engine_args": {"enforce-eager": True}}),
        ("tgi-vllm", {"cuda-graphs": "1,2"}, {"engine_args": {"cudagraph-capture-sizes": [1, 2]}}),
        ("vllm-sglang", {"load-format": "tensorizer"}, {}),
        ("vllm-sglang", {"load-format": "runai_streamer"}, {"engine_args": {"load-format": "runai_streamer"}}),
    ],
)  # fmt: skip
def test_an_argument_becomes(way: str, stated: dict[str, Any], becomes: dict[str, Any]) -> None:
    before, to = way.split("-")
    assert migrated(before, to, source="a/b", engine_args=stated)[0] == {"source": "a/b", **becomes}


@pytest.mark.parametrize(
    ("way", "stated", "becomes"),
    [
        ("tgi-vllm", {"LOG_LEVEL": "warn"}, {"env": {"VLLM_LOGGING_LEVEL": "WARNING"}}),
        ("tgi-vllm", {"PREFIX_CACHING": "0"}, {"prefix_caching": False}),
        ("tgi-vllm", {"PREFIX_CACHING": "1"}, {"prefix_caching": True}),
        ("tgi-vllm", {"MAX_TOP_N_TOKENS": "7"}, {"engine_args": {"max-logprobs": 7}}),
        ("tgi-vllm", {"NCCL_DEBUG": "WARN", "HF_HUB_ENABLE_HF_TRANSFER": "1"}, {"env": {"NCCL_DEBUG": "WARN", "HF_HUB_ENABLE_HF_TRANSFER": "1"}}),
        ("tgi-vllm", {"EXLLAMA_VERSION": "1"}, {}),
        ("vllm-sglang", {"VLLM_ATTENTION_BACKEND": "FLASHINFER"}, {"engine_args": {"attention-backend": "flashinfer"}}),
        ("vllm-sglang", {"VLLM_SOMETHING_ELSE": "1"}, {}),
        ("vllm-sglang", {"MINE": "1"}, {"env": {"MINE": "1"}}),
    ],
)  # fmt: skip
def test_a_variable_becomes(way: str, stated: dict[str, str], becomes: dict[str, Any]) -> None:
    before, to = way.split("-")
    assert migrated(before, to, source="a/b", env=stated)[0] == {"source": "a/b", **becomes}


@pytest.mark.parametrize("off", [False, {"backend": "none"}])
def test_what_an_engine_shall_not_do_and_never_does_goes(off: Any) -> None:
    result, rewrite = migrated("sglang", "vllm", source="a/b", structured_output=off)
    assert result == {"source": "a/b"}
    assert [item.why for item in rewrite.items if item.kind is Kind.LOST] == [
        "vLLM has no counterpart of `structured_output`"
    ]


def test_a_backend_that_is_stated_goes_along() -> None:
    stated = {"source": "a/b", "structured_output": {"backend": "guidance"}}
    assert migrated("sglang", "vllm", **stated)[0] == stated


@pytest.mark.parametrize(("order", "said"), [(1, "guidance"), (-1, "xgrammar")])
def test_a_field_in_its_short_form_is_stated_by_the_first_that_says_more(order: int, said: str) -> None:
    flags = [("grammar-backend", "llguidance"), ("constrained-json-disable-any-whitespace", True)][::order]
    result, _ = migrated("sglang", "vllm", source="a/b", structured_output=True, engine_args=dict(flags))
    assert result["structured_output"] == {"backend": said}


@pytest.mark.parametrize("before", ["vllm", "tgi"])
@pytest.mark.parametrize("stated", [{"memory_fraction": 0.9}, None])
def test_a_memory_fraction_is_converted_for_sglang_and_that_is_said(
    before: str, stated: dict[str, Any] | None
) -> None:
    flag = {"vllm": "gpu-memory-utilization", "tgi": "cuda-memory-fraction"}[before]
    stated = stated or {"engine_args": {flag: 0.9}}
    result, rewrite = migrated(before, "sglang", source="a/b", **stated)
    assert result == {"source": "a/b", "memory_fraction": 0.9}
    assert not {"memory_fraction", f"engine_args.{flag}"} & {*rewrite.kept}
    kind = Kind.FIELD if "engine_args" in stated else Kind.BEHAVES
    assert kind in {item.kind for item in rewrite.items if "0.9" in item.subject}


def test_a_field_that_is_stated_is_not_overwritten() -> None:
    result, rewrite = migrated("tgi", "vllm", source="a/b", concurrency=8, engine_args={"max-batch-size": 32})
    assert result == {"source": "a/b", "concurrency": 8}
    assert [(item.kind, item.why) for item in rewrite.items if "max-batch-size" in item.subject] == [
        (Kind.LOST, "`concurrency` says it already")
    ]


def test_two_that_become_one_are_written_once() -> None:
    stated = {"env": {"MAX_TOP_N_TOKENS": "7"}, "engine_args": {"max-top-n-tokens": 5}}
    result, rewrite = migrated("tgi", "vllm", source="a/b", **stated)
    assert result["engine_args"] == {"max-logprobs": 5}
    assert "`max-logprobs` says it already" in [item.why for item in rewrite.items]


@pytest.mark.parametrize("order", [1, -1])
def test_a_flag_of_the_new_engine_that_the_old_one_never_had_keeps_no_other_out(order: int) -> None:
    stated = dict([("seed", 7), ("random-seed", 3)][::order])
    result, rewrite = migrated("vllm", "sglang", source="a/b", engine_args=stated)
    assert result["engine_args"] == {"random-seed": 7}
    assert {item.kind for item in rewrite.items if "random-seed: 3" in item.subject} == {Kind.BY_HAND}


def test_an_entry_that_goes_leaves_its_name_to_another() -> None:
    stated = {"env": {"MAX_TOP_N_TOKENS": "7"}, "engine_args": {"max-logprobs": 3}}  # which TGI never had
    assert migrated("tgi", "vllm", source="a/b", **stated)[0]["engine_args"] == {"max-logprobs": 7}


@pytest.mark.parametrize("before", ["vllm", "sglang", "tgi"])
@pytest.mark.parametrize("to", ["vllm", "sglang"])
def test_nothing_that_is_stated_is_lost_without_a_word(before: str, to: str) -> None:
    """Every flag of every engine: it stays, becomes something, or has a reason."""
    if before == to:
        return
    from llmdeploy.catalog.flags import flag_table

    table = flag_table(before)
    assert table is not None
    for name in table.at(table.versions[-1]):
        home = "engine_args" if name.startswith("--") else "env"
        key = name.removeprefix("--")
        _, rewrite = migrated(before, to, source="a/b", **{home: {key: "1"}})
        spoken = [item for item in rewrite.items if item.subject.startswith(f"{home}.{key}:")]
        assert spoken or f"{home}.{key}" in rewrite.kept, name
        assert all(item.why or item.becomes for item in spoken), name


@pytest.mark.parametrize("to", ["vllm", "sglang"])
def test_a_flag_that_both_engines_have_is_written_and_told_once(to: str) -> None:
    before = "sglang" if to == "vllm" else "vllm"
    for row in meanings():
        one = row.spelled.get(before)
        if one is None or not one.name.startswith("--"):
            continue
        name = one.name.removeprefix("--")
        for first, second in ((name, f"--{name}"), (name.replace("-", "_"), name), (f"--{name}", name)):
            result, rewrite = migrated(before, to, source="a/b", engine_args={first: 3, second: 3})
            written = [key.lstrip("-").replace("_", "-") for key in result.get("engine_args", {})]
            assert len(written) == len(set(written)), name
            told = [item.subject.partition(":")[0] for item in rewrite.items if item.at is not None]
            assert not {*rewrite.kept} & {*told}, name


def spellings() -> list[tuple[Spelling, Spelling]]:
    pairs = [(row.spelled.get("vllm"), row.spelled.get("sglang")) for row in meanings()]
    return [(one, other) for one, other in pairs if one and other and not (one.by_hand or other.by_hand)]


@given(
    st.sampled_from(spellings()),
    st.one_of(st.booleans(), st.integers(0, 1 << 20), st.text("abc,", max_size=5)),
)
def test_there_and_back_is_where_one_began(pair: tuple[Spelling, Spelling], value: Any) -> None:
    one, other = pair
    value = next(iter(one.values.values())) if one.values else value
    try:
        there = converted(value, one, other)
    except NoCounterpart:
        return
    back = converted(there, other, one)
    assert back == value or str(back).lower() == str(value).lower()


# --- upgrade


def upgraded(engine: str, old: str, new: str, **stated: Any) -> tuple[dict[str, Any], Rewrite]:
    rewrite = upgrade.plan("m", stated, ENGINES[engine].table, (old, new))
    return after(rewrite, stated), rewrite


@pytest.mark.parametrize(
    ("stated", "becomes", "kind"),
    [
        ({"engine_args": {"swap-space": 4}}, {}, Kind.GONE),
        ({"engine_args": {"guided-decoding-backend": "xgrammar"}}, {"structured_output": {"backend": "xgrammar"}}, Kind.FIELD),
        ({"engine_args": {"max-seq-len-to-capture": 8}}, {"engine_args": {"max-seq-len-to-capture": 8}}, Kind.BY_HAND),
        ({"env": {"VLLM_USE_V1": "1"}}, {}, Kind.GONE),
        ({"env": {"VLLM_ATTENTION_BACKEND": "FLASHINFER"}}, {"engine_args": {"attention-backend": "FLASHINFER"}}, Kind.RENAMED),
        ({"env": {"VLLM_MXFP4_USE_MARLIN": "1"}}, {"engine_args": {"moe-backend": "marlin"}}, Kind.RENAMED),
        ({"env": {"VLLM_ALL2ALL_BACKEND": "naive"}}, {"engine_args": {"all2all-backend": "naive"}}, Kind.RENAMED),
        ({"env": {"NCCL_DEBUG": "WARN"}}, {"env": {"NCCL_DEBUG": "WARN"}}, None),
        ({"engine_args": {"max-logprobs": 5}}, {"engine_args": {"max-logprobs": 5}}, None),
        ({"engine_args": {"never-was": 5}}, {"engine_args": {"never-was": 5}}, None),
        ({"image": "a/vllm:v0.32.0-x"}, {"image": "a/vllm:v0.33.0-x"}, Kind.RENAMED),
        ({"image": "a/vllm:10.32.01"}, {"image": "a/vllm:10.32.01"}, Kind.BY_HAND),
    ],
)  # fmt: skip
def test_the_next_release_of_vllm(stated: dict[str, Any], becomes: dict[str, Any], kind: Kind | None) -> None:
    result, rewrite = upgraded("vllm", "0.32.0", "0.33.0", source="a/b", **stated)
    assert result == {"source": "a/b", **becomes}
    assert [item.kind for item in rewrite.items] == ([kind] if kind else [])


def test_a_variable_that_is_off_asks_for_nothing() -> None:
    result, _ = upgraded("vllm", "0.32.0", "0.33.0", source="a/b", env={"VLLM_MXFP4_USE_MARLIN": "0"})
    assert "engine_args" not in result


def test_an_older_release_takes_the_version_and_drops_what_came_later() -> None:
    result, rewrite = upgraded(
        "vllm", "0.33.0", "0.32.0", source="a/b", engine_args={"sleep-mode-backend": "cumem"}
    )
    assert result == {"source": "a/b"}
    assert [item.why for item in rewrite.items] == ["not there yet in 0.32.0"]


def test_two_that_went_for_one_are_written_once() -> None:
    kept = {"structured-outputs-config.disable_any_whitespace": False}
    stated = {"guided-decoding-disable-any-whitespace": True, **kept}
    result, _ = upgraded("vllm", "0.32.0", "0.33.0", source="a/b", engine_args=stated)
    assert result["engine_args"] == kept


@pytest.mark.parametrize(
    ("stated", "becomes"),
    [
        ({"backend": "guidance"}, {"backend": "guidance"}),
        (True, {"backend": "xgrammar"}),
        (False, False),
    ],
)
def test_a_flag_that_became_a_field_gives_way_to_what_the_field_says(stated: Any, becomes: Any) -> None:
    flags = {"guided-decoding-backend": "xgrammar"}
    result, _ = upgraded(
        "vllm", "0.32.0", "0.33.0", source="a/b", structured_output=stated, engine_args=flags
    )
    assert result == {"source": "a/b", "structured_output": becomes}


def test_a_word_that_a_release_gives_up_is_told_at_the_field_that_says_it() -> None:
    text = """\
version: 1
name: forms
gpus: {h100: {type: h100-sxm-80gb, count: 1}}
models:
  m: {source: Qwen/Qwen3-8B, engine: vllm, engine_version: 0.31.0, structured_output: {backend: lm-format-enforcer}}
routes: [{path: /m, model: m}]
targets: {docker: {}}
"""
    found = compile(text, emit=False)
    assert found.plan is not None
    stated, versions = found.source.data["models"]["m"], ("0.31.0", "0.33.0")
    rewrite = upgrade.plan("m", stated, ENGINES["vllm"].table, versions, found.plan.services[0])
    (item,) = [item for item in rewrite.items if item.kind is Kind.CHANGED]
    assert item.subject == "`structured_output.backend`, compiled to --structured-outputs-config.backend"
    assert item.at == ("structured_output", "backend")
    assert item.why is not None and item.why.startswith("`lm-format-enforcer` is deprecated")


def test_a_switch_that_went_becomes_the_values_that_stand_for_it() -> None:
    stated = {"enable-flashinfer-mla": True, "page-size": 16}
    result, _ = upgraded("sglang", "0.4.0", "0.5.23", source="a/b", engine_args=stated)
    assert result["engine_args"] == {"attention-backend": "flashinfer", "page-size": 16}


def test_a_switch_that_went_and_was_off_is_left_to_the_user() -> None:
    _, rewrite = upgraded(
        "sglang", "0.4.0", "0.5.23", source="a/b", engine_args={"enable-flashinfer-mla": False}
    )
    assert Kind.BY_HAND in [item.kind for item in rewrite.items]

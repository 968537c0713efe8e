"""`engine_args`: judged by the engine's own parser, typed, in the order written, and never twice."""

from __future__ import annotations

import argparse
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.settings import ENGINES, HERE, settings

from llmdeploy.catalog.flags import Flag
from llmdeploy.engines.arguments import words
from llmdeploy.engines.arguments.judge import Argument
from llmdeploy.engines.arguments.spelling import Spelled
from llmdeploy.numbers import plain_scalar


def findings(engine, engine_args, **changes):
    """What is said of `engine_args`, without what is said of the engine anyway."""
    changes["image"] = changes.get("image")
    plain = ENGINES[engine].lower(settings(engine))
    lowered = ENGINES[engine].lower(settings(engine, engine_args=engine_args, **changes))
    return [found for found in lowered.diagnostics if found not in plain.diagnostics]


def said(engine, engine_args, **changes):
    """The arguments that `engine_args` adds, and the codes of what it cannot add."""
    plain = ENGINES[engine].lower(settings(engine))
    lowered = ENGINES[engine].lower(settings(engine, engine_args=engine_args, **changes))
    codes = [found.code for found in findings(engine, engine_args, **changes)]
    return list(lowered.launch.args[len(plain.launch.args) :]), codes


@pytest.mark.parametrize(
    ("engine_args", "expected"),
    [
        ({"max-logprobs": 5}, ["--max-logprobs", "5"]),
        ({"--max_logprobs": 5}, ["--max-logprobs", "5"]),
        ({"max-logprobs": "5"}, ["--max-logprobs", "5"]),
        ({"enforce-eager": True}, ["--enforce-eager"]),
        ({"enforce-eager": False}, ["--no-enforce-eager"]),
        ({"no-enforce-eager": True}, ["--no-enforce-eager"]),
        ({"no-enforce-eager": False}, ["--enforce-eager"]),
        ({"enable-log-requests": False}, ["--no-enable-log-requests"]),
        ({"disable-log-requests": True}, ["--disable-log-requests"]),
        ({"seed": -1}, ["--seed=-1"]),
        ({"middleware": ["a", "b"]}, ["--middleware", "a", "--middleware", "b"]),
        ({"middleware": "-a"}, ["--middleware=-a"]),
        ({"allowed-media-domains": ["a", "b"]}, ["--allowed-media-domains", "a", "b"]),
        ({"middleware": "a"}, ["--middleware", "a"]),
        (
            {"hf-overrides": {"b": [1, None], "a": {"x": True}}},
            ["--hf-overrides", '{"b":[1,null],"a":{"x":true}}'],
        ),
        ({"hf-overrides": '{"a": 1}'}, ["--hf-overrides", '{"a": 1}']),
        ({"revision-x": 1}, []),
        ({"ssl-ciphers": plain_scalar("12e5")}, ["--ssl-ciphers", "12e5"]),
        (
            {"structured_outputs_config.disable_any_whitespace": True},
            ["--structured-outputs-config.disable_any_whitespace", "true"],
        ),
        (
            {"hf-overrides.b": 1, "hf-overrides.c": 2},
            ["--hf-overrides.b", "1", "--hf-overrides.c", "2"],
        ),
        ({"ssl-ciphers": ""}, ["--ssl-ciphers", ""]),
        ({"max-num-queued-tokens": "32k"}, ["--max-num-queued-tokens", "32k"]),
    ],
)
def test_arguments(engine_args, expected):
    words, found = said("vllm", engine_args)
    assert words == expected
    assert found == ([] if expected else ["LD316"])


@pytest.mark.parametrize(
    "engine_args",
    [
        {"seed": None},
        {"enforce-eager": None},
        {"middleware": []},
        {"allowed-media-domains": ["-x"]},
        {"se ed": 1},
        {"seed=1": 1},
        {"": 1},
    ],
)
def test_what_has_no_form(engine_args):
    assert said("vllm", engine_args) == ([], ["LD313"])


@pytest.mark.parametrize(
    ("engine_args", "first"),
    [
        ({"max-logprobs": 5, "--max_logprobs": 6}, ["--max-logprobs", "5"]),
        ({"enable-sleep-mode": True, "no-enable-sleep-mode": True}, ["--enable-sleep-mode"]),
        ({"enable-log-requests": True, "disable-log-requests": True}, ["--enable-log-requests"]),
        ({"compilation-config": {"mode": 0}, "-cc": {"mode": 0}}, ["--compilation-config", '{"mode":0}']),
        (
            {"hf-overrides.a": 1, "hf_overrides": {"b": 1}},
            ["--hf-overrides.a", "1"],
        ),
    ],
)
def test_one_flag_in_two_spellings(engine_args, first):
    assert said("vllm", engine_args) == (first, ["LD313"])


@pytest.mark.parametrize(
    ("engine", "key", "field"),
    [
        ("vllm", "max-model-len", "context"),
        ("vllm", "max_num_seqs", "concurrency"),
        ("vllm", "-tp", "parallel.tensor"),
        ("vllm", "tensor-par", "parallel.tensor"),
        ("vllm", "disable-prefix-caching", "prefix_caching"),
        ("vllm", "enable-prefix-caching", "prefix_caching"),
        ("vllm", "device-memory-utilization", "memory_fraction"),
        ("sglang", "tp-size", "parallel.tensor"),
        ("sglang", "tp", "parallel.tensor"),
        ("sglang", "model", "source"),
        ("sglang", "context_length", "context"),
        ("tgi", "MAX_TOTAL_TOKENS", "context"),
        ("tgi", "max-total-tokens", "context"),
    ],
)
def test_what_the_compiler_decides_may_not_come_back_in_any_spelling(engine, key, field):
    (found,) = findings(engine, {key: 1})
    assert (found.code, found.help) == ("LD306", f"use `{field}`")


def test_switches_of_sglang_have_no_opposite():
    assert said("sglang", {"enable-p2p-check": False}) == ([], ["LD313"])
    assert said("sglang", {"enable_p2p_check": True}) == (["--enable-p2p-check"], [])


def test_tgi_is_told_by_its_environment():
    engine_args = {
        "max-best-of": 4,
        "json_output": True,
        "DISABLE_CUSTOM_KERNELS": False,
        "cuda-graphs": [1, 2],
        "attention": "paged",
    }
    assert findings("tgi", engine_args) == []
    env = ENGINES["tgi"].lower(settings("tgi", engine_args=engine_args)).launch.env
    assert (env["MAX_BEST_OF"], env["JSON_OUTPUT"], env["DISABLE_CUSTOM_KERNELS"]) == ("4", "true", "false")
    assert (env["CUDA_GRAPHS"], env["ATTENTION"]) == ("1,2", "paged")


def test_tgi_variable_is_given_once():
    assert said("tgi", {"max-best-of": 4}, env={"MAX_BEST_OF": "3"})[1] == ["LD313"]


def test_tgi_has_no_variable_for_several_values_of_a_flag_that_is_repeated():
    assert said("tgi", {"cors-allow-origin": ["a", "b"]})[1] == ["LD313"]
    assert said("tgi", {"cors-allow-origin": ["a"]})[1] == []


def test_bento_takes_pairs():
    engine_args = {"--openllm-max-tokens": 512, "disable_log_requests": False}
    expected = ["--arg", "openllm_max_tokens=512", "--arg", "disable_log_requests=false"]
    assert said("openllm", engine_args) == (expected, [])
    assert said("openllm", {"task": "a,b"}) == ([], ["LD313"])


MEANT = [
    # by spelling
    ("vllm", "max-logprob5", "did you mean `max-logprobs`?"),
    ("vllm", "enforce-eagre", "did you mean `enforce-eager`?"),
    ("vllm", "max-model-lenn", "did you mean `max-model-len`, which llmdeploy decides (use `context`)?"),
    ("sglang", "schedule-polcy", "did you mean `schedule-policy`?"),
    ("tgi", "max-best-off", "did you mean `max-best-of`?"),
    # by what another engine calls it
    ("sglang", "max-model-len", "use `context`"),
    ("sglang", "max_num_seqs", "use `concurrency`"),
    ("sglang", "max-num-batched-tokens", "use `batch_tokens`"),
    ("vllm", "context-length", "use `context`"),
    ("vllm", "chunked-prefill-size", "use `batch_tokens`"),
    ("vllm", "disable-radix-cache", "use `prefix_caching`"),
    ("vllm", "MAX_BATCH_PREFILL_TOKENS", "use `batch_tokens`"),
    ("vllm", "num-shard", "use `parallel.tensor`"),
    ("tgi", "max-model-len", "use `context`"),
    ("vllm", "random-seed", "write `seed`"),
    ("sglang", "seed", "write `random-seed`"),
]


@pytest.mark.parametrize(("engine", "key", "help"), MEANT)
def test_an_unknown_flag_names_what_was_meant(engine, key, help):
    (found,) = findings(engine, {key: 1})
    assert (found.code, found.help) == ("LD316", help)
    assert found.path == (*HERE, "engine_args", key)


@pytest.mark.parametrize(
    ("engine", "key", "use"),
    [("vllm", "mem-fraction-static", "memory_fraction"), ("sglang", "gpu-memory-utilization", None)],
)
def test_memory_fractions_of_other_engines_mean_something_else(engine, key, use):
    (found,) = findings(engine, {key: 0.5})
    assert found.code == "LD316" and "weights and KV cache alone" in found.help
    assert found.help.startswith(f"use `{use}`" if use else "leave it out")


@pytest.mark.parametrize(
    ("engine", "key", "full"),
    [
        ("vllm", "max-logp", "`max-logprobs`"),
        ("vllm", "max-log", "`max-log-len` or `max-logprobs`"),
        ("sglang", "schedule-pol", "`schedule-policy`"),
        ("sglang", "constrained-json-disable", "`constrained-json-disable-any-whitespace`"),
    ],
)
def test_an_abbreviation_names_the_flags_that_it_begins(engine, key, full):
    (found,) = findings(engine, {key: 1})
    assert (found.code, found.help) == ("LD320", f"write {full}")


def test_what_an_engine_looks_up_may_come_from_an_image_of_ones_own():
    engine_args = {"load-format": "safetensor"}
    (found,) = findings("vllm", engine_args)
    assert (found.code, found.help) == ("LD319", "did you mean `safetensors`?")
    assert [found.code for found in findings("vllm", engine_args, image="example.com/vllm:v1")] == ["LD321"]


@pytest.mark.parametrize("word", ["FLASH_ATTN", "flash_attn", "auto"])
def test_the_case_of_an_attention_backend_does_not_matter(word):
    assert findings("vllm", {"attention-backend": word}) == []


FLAGS = st.builds(
    lambda name, kind: Flag(f"--x{name}", *kind),
    st.from_regex(r"[a-z]{1,6}(-[a-z]{1,6})?", fullmatch=True),
    st.sampled_from([("value", "text"), ("list", "text"), ("append", "text"), ("value", "json")]),
)
SCALARS = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.dictionaries(st.text(), st.recursive(SCALARS | st.booleans() | st.none(), st.lists, max_leaves=5))


@given(st.data(), st.lists(FLAGS, max_size=6, unique_by=lambda flag: flag.name))
def test_a_parser_reads_back_what_was_written(data, flags):
    """Whatever the value, argparse finds it again behind its own flag."""
    parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    argv, written = [], {}
    for flag in flags:
        options = {"list": {"nargs": "+"}, "append": {"action": "append"}}.get(flag.kind, {})
        parser.add_argument(flag.name, dest=flag.name, **options)
        many = flag.kind != "value"
        texts = st.lists(st.text().filter(lambda text: not text.startswith("-")), min_size=1)
        value = data.draw(texts if many else JSON if flag.type == "json" else SCALARS)
        argv += words.flags(Argument(flag.name, value, (), Spelled(flag, flag.name)))
        written[flag.name] = value if many or flag.type == "json" else str(value)
    read = vars(parser.parse_args(argv))
    for flag in flags:
        text = read[flag.name]
        assert (json.loads(text) if flag.type == "json" else text) == written[flag.name]


KEYS = st.text(max_size=12) | st.sampled_from(
    [
        "seed",
        "max-logprobs",
        "middleware",
        "hf-overrides",
        "enforce-eager",
        "enable-sleep-mode",
        "-cc",
        "convert",
    ]
)


@given(
    st.dictionaries(KEYS, SCALARS | JSON | st.none() | st.booleans() | st.lists(SCALARS | JSON), max_size=4)
)
def test_nothing_is_dropped_in_silence(engine_args):
    """Each argument is passed on, or found fault with where it stands."""
    lowered = ENGINES["vllm"].lower(settings("vllm", engine_args=engine_args))
    faults = {found.path for found in lowered.diagnostics}
    for key in engine_args:
        name = key.lstrip("-").replace("_", "-")
        passed = any(
            word.partition("=")[0] in (f"--{name}", f"--no-{name}", f"-{name}")
            for word in lowered.launch.args
        )
        assert passed or (*HERE, "engine_args", key) in faults


def test_of_a_flag_that_takes_json_one_field_is_the_compilers_and_the_others_are_the_users():
    other = {"structured-outputs-config.enable_in_reasoning": True}
    words = ["--structured-outputs-config.enable_in_reasoning", "true"]
    assert said("vllm", other) == (words, [])
    for mine in ("structured-outputs-config.backend", "--structured_outputs_config.backend"):
        assert said("vllm", {mine: "xgrammar", **other}) == (words, ["LD306"])


@pytest.mark.parametrize("value", [{"backend": "xgrammar"}, '{"backend": "xgrammar"}'])
def test_the_field_of_the_compiler_is_found_inside_of_the_whole(value):
    assert said("vllm", {"structured-outputs-config": value}) == ([], ["LD306"])


@pytest.mark.parametrize("value", [{"enable_in_reasoning": True}, '{"enable_in_reasoning": true}', {}])
def test_the_whole_of_a_flag_is_taken_unless_it_would_undo_a_field(value):
    given = {"structured-outputs-config": value}
    assert [
        each.code for each in ENGINES["vllm"].lower(settings("vllm", engine_args=given)).diagnostics
    ] == []
    beside = ENGINES["vllm"].lower(settings("vllm", {"grammar_backend": "xgrammar"}, engine_args=given))
    assert [each.code for each in beside.diagnostics] == ["LD313"]
    assert beside.launch.args[-2:] == ("--structured-outputs-config.backend", "xgrammar")

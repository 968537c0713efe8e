"""`engine_args`: typed, in the order written, and never twice."""

from __future__ import annotations

import argparse
import json
import keyword

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.settings import ENGINES, HERE, settings

from llmdeploy.numbers import plain_scalar


def said(engine, engine_args, **changes):
    """The arguments that `engine_args` adds, and the codes of what it cannot add."""
    plain = ENGINES[engine].lower(settings(engine))
    lowered = ENGINES[engine].lower(settings(engine, engine_args=engine_args, **changes))
    found = [f.code for f in lowered.diagnostics if f not in plain.diagnostics]
    return list(lowered.launch.args[len(plain.launch.args) :]), found


@pytest.mark.parametrize(
    ("engine_args", "words"),
    [
        ({"max-logprobs": 5}, ["--max-logprobs", "5"]),
        ({"--max_logprobs": 5}, ["--max-logprobs", "5"]),
        ({"enforce-eager": True}, ["--enforce-eager"]),
        ({"enforce-eager": False}, ["--no-enforce-eager"]),
        ({"seed": -1}, ["--seed=-1"]),
        ({"middleware": ["a", "b"]}, ["--middleware", "a", "b"]),
        (
            {"hf-overrides": {"b": [1, None], "a": {"x": True}}},
            ["--hf-overrides", '{"b":[1,null],"a":{"x":true}}'],
        ),
        ({"x": plain_scalar("12e5"), "y": plain_scalar("0o17")}, ["--x", "12e5", "--y", "0o17"]),
        (
            {"structured-outputs-config.backend": "xgrammar"},
            ["--structured-outputs-config.backend", "xgrammar"],
        ),
        (
            {"structured_outputs_config.disable_any_whitespace": True},
            ["--structured-outputs-config.disable_any_whitespace", "true"],
        ),
        ({"a.b": 1, "a.c": 2}, ["--a.b", "1", "--a.c", "2"]),
        ({"seed": ""}, ["--seed", ""]),
    ],
)
def test_arguments(engine_args, words):
    assert said("vllm", engine_args) == (words, [])


@pytest.mark.parametrize(
    "engine_args",
    [
        {"seed": None},
        {"seed": []},
        {"seed": ["-x"]},
        {"se ed": 1},
        {"seed=1": 1},
        {"": 1},
    ],
)
def test_what_cannot_be_passed(engine_args):
    assert said("vllm", engine_args) == ([], ["LD313"])


def test_one_flag_in_two_spellings():
    assert said("vllm", {"max-logprobs": 5, "--max_logprobs": 6}) == (["--max-logprobs", "5"], ["LD313"])
    assert said("vllm", {"enable-sleep-mode": True, "no-enable-sleep-mode": True}) == (
        ["--enable-sleep-mode"],
        ["LD313"],
    )


def test_switches_of_sglang_have_no_opposite():
    assert said("sglang", {"enable-p2p-check": False}) == ([], ["LD313"])
    assert said("sglang", {"enable-p2p-check": True}) == (["--enable-p2p-check"], [])


def test_tgi_is_told_by_its_environment():
    engine_args = {"max-best-of": 4, "json_output": True, "ngrok-x": False, "cuda-graphs": [1, 2]}
    env = ENGINES["tgi"].lower(settings("tgi", engine_args=engine_args)).launch.env
    assert (env["MAX_BEST_OF"], env["JSON_OUTPUT"], env["NGROK_X"]) == ("4", "true", "false")
    assert env["CUDA_GRAPHS"] == "1,2"


def test_tgi_variable_is_given_once():
    assert said("tgi", {"max-best-of": 4}, env={"MAX_BEST_OF": "3"})[1] == ["LD313"]
    assert said("tgi", {"x": {"a": 1}})[1] == ["LD313"]


def test_bento_takes_pairs():
    words, found = said("openllm", {"--openllm-max-tokens": 512, "disable_log_requests": False})
    assert words == ["--arg", "openllm_max_tokens=512", "--arg", "disable_log_requests=false"]
    assert found == []


NAMES = st.from_regex(r"x[a-z]{1,6}(-[a-z]{1,6})?", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name)
)
SCALARS = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.dictionaries(st.text(), st.recursive(SCALARS | st.booleans() | st.none(), st.lists, max_leaves=5))


@given(st.dictionaries(NAMES, SCALARS | JSON, max_size=6))
def test_a_parser_reads_back_what_was_written(engine_args):
    """Whatever the value, argparse finds it again behind its own flag."""
    words, found = said("vllm", engine_args)
    assert found == []
    parser = argparse.ArgumentParser(allow_abbrev=False, exit_on_error=False)
    for name in engine_args:
        parser.add_argument(f"--{name}", dest=name)
    read = vars(parser.parse_args(words))
    assert list(read) == list(engine_args)
    for name, value in engine_args.items():
        assert json.loads(read[name]) == value if isinstance(value, dict) else read[name] == str(value)


@given(
    st.dictionaries(
        st.text(max_size=12), SCALARS | JSON | st.none() | st.booleans() | st.lists(SCALARS), max_size=4
    )
)
def test_nothing_is_dropped_in_silence(engine_args):
    """Each argument is passed on, or found fault with where it stands."""
    lowered = ENGINES["vllm"].lower(settings("vllm", engine_args=engine_args))
    faults = {f.path for f in lowered.diagnostics}
    for key in engine_args:
        flag = "--" + key.lstrip("-").replace("_", "-")
        passed = any(
            word.partition("=")[0] in (flag, "--no-" + flag[2:], flag[1:]) for word in lowered.launch.args
        )
        assert passed or (*HERE, "engine_args", key) in faults

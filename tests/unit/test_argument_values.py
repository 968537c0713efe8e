"""Values of flags are judged as the parsers judge them, and whatever the value, something is said or it is taken."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.settings import ENGINES

from llmdeploy.catalog.flags import Flag, Kind, Type
from llmdeploy.engines.arguments.values import Numbers, fault, text_of
from llmdeploy.numbers import plain_scalar

VLLM, SGLANG = (
    Numbers(table.sizes, in_json=table.fields) for table in (ENGINES["vllm"].table, ENGINES["sglang"].table)
)
RUST = Numbers(is_rust=True)

NUMERIC = st.text(alphabet="0123456789+-_. eE", max_size=6) | st.from_regex(
    r"[+-]?[0-9]{1,4}", fullmatch=True
)
SIZED = st.from_regex(r"[0-9]{1,3}(\.[0-9])?(k|K|m|M|g|G|t|T|Ki|Mi|Gi|Ti|x)?", fullmatch=True)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
FLAGS = st.builds(
    Flag,
    st.just("--x"),
    st.sampled_from(get_args(Kind)),
    st.sampled_from(get_args(Type)),
    choices=st.sampled_from([(), ("a", "b_c")]),
    folded=st.booleans(),
)


def flag(type: Type, kind: Kind = "value", **more) -> Flag:
    return Flag("--x", kind, type, **more)


def reads(convert, text) -> bool:
    try:
        convert(text)
    except ValueError:
        return False
    return True


@given(NUMERIC)
def test_whole_numbers_are_those_of_python(text):
    assert (fault(text, flag("int"), VLLM) is None) == reads(int, text)


@given(NUMERIC)
def test_numbers_are_those_of_python(text):
    assert (fault(text, flag("float"), VLLM) is None) == reads(float, text)


@given(st.integers(-99, 99) | st.floats(-9, 9))
def test_numbers_of_the_file_are_judged_as_they_are_written(number):
    written = plain_scalar(str(number))
    assert (fault(written, flag("int"), VLLM) is None) == isinstance(number, int)
    assert fault(written, flag("float"), VLLM) is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [("0o17", "write `15`"), ("0x10", "write `16`"), ("1e3", "write `1000`"), ("4.0", "write `4`")],
)
def test_a_number_that_yaml_knows_and_the_parser_does_not_is_written_out(text, meant):
    assert fault(plain_scalar(text), flag("int"), VLLM).help == meant


@given(st.integers(-(1 << 40), 1 << 40))
def test_rust_has_no_negative_sizes(number):
    assert (fault(number, flag("int"), RUST) is None) == (number >= 0)


@pytest.mark.parametrize("text", ["1_000", "0x10", "", " 1_0"])
def test_rust_reads_digits_alone(text):
    assert fault(text, flag("int"), RUST) is not None


@pytest.mark.parametrize("numbers", [VLLM, SGLANG], ids=["vllm", "sglang"])
@given(text=SIZED)
def test_sizes_count_in_thousands_with_decimals_and_in_1024_without(numbers, text):
    number = text.rstrip("kKmMgGtTix")
    suffix = text.removeprefix(number)
    factor = numbers.sizes.get(suffix, 1 if not suffix else None)
    taken = factor is not None and ("." not in number or (suffix != "" and factor % 1000 == 0))
    assert (fault(text, flag("size"), numbers) is None) == taken


@pytest.mark.parametrize(
    ("text", "vllm", "sglang"), [("32k", True, True), ("32K", True, False), ("32Ki", False, True)]
)
def test_the_suffix_of_one_engine_is_another_size_elsewhere(text, vllm, sglang):
    assert (fault(text, flag("size"), VLLM) is None, fault(text, flag("size"), SGLANG) is None) == (
        vllm,
        sglang,
    )


@given(st.text(max_size=12) | VALUES.map(json.dumps))
def test_text_for_json_is_an_object_or_a_list(text):
    try:
        taken = isinstance(json.loads(text), dict | list)
    except ValueError:
        taken = False
    assert (fault(text, flag("json"), SGLANG) is None) == taken


@pytest.mark.parametrize("text", ['{"bytes": 80m}', '{"a": [1k, 2G], "b": "80m"}'])
def test_sizes_may_stand_in_json_without_quotes(text):
    assert fault(text, flag("json"), VLLM) is None
    assert fault(text, flag("json"), SGLANG) is not None


@given(st.dictionaries(st.text(), VALUES) | st.lists(VALUES))
def test_any_mapping_or_list_is_json(value):
    assert fault(value, flag("json"), VLLM) is None
    assert json.loads(text_of(value)) == json.loads(json.dumps(value))


@given(VALUES)
def test_a_switch_is_true_or_false(value):
    assert (fault(value, flag("bool", "switch"), VLLM) is None) == isinstance(value, bool)


@given(st.sampled_from(["a", "b_c", "B-C", "A", "b-c", "c", ""]))
def test_choices_are_exact_unless_they_are_folded(word):
    exact = flag("text", choices=("a", "b_c"))
    folded = flag("text", choices=("a", "b_c"), folded=True)
    assert (fault(word, exact, VLLM) is None) == (word in ("a", "b_c"))
    assert (fault(word, folded, VLLM) is None) == (word.lower().replace("-", "_") in ("a", "b_c"))


@given(VALUES, FLAGS, st.sampled_from([VLLM, SGLANG, RUST]))
def test_any_value_of_any_flag_is_taken_or_found_fault_with(value, flag, numbers):
    found = fault(value, flag, numbers)
    assert found is None or (found.text and found.text[-1] not in ".:")

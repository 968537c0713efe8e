"""What one engine's flag is called by another."""

from __future__ import annotations

from collections import Counter

import pytest

from llmdeploy.catalog.meanings import meanings, meanings_of, same


@pytest.mark.parametrize(
    ("engine", "flag", "others"),
    [
        ("vllm", "--seed", {"sglang": "--random-seed"}),
        ("sglang", "--random-seed", {"vllm": "--seed"}),
        ("sglang", "page-size", {"vllm": "--block-size"}),
        ("vllm", "max_loras", {"sglang": "--max-loras-per-batch"}),
        (
            "tgi",
            "--cuda-graphs",
            {
                "vllm": "--enforce-eager",
                "openllm": "--enforce-eager",
                "sglang": "--disable-decode-cuda-graph",
            },
        ),
        ("tgi", "MAX_TOP_N_TOKENS", {"vllm": "--max-logprobs"}),
        ("vllm", "--max-logprobs", {"tgi": "MAX_TOP_N_TOKENS"}),
        ("vllm", "--no-such-flag", {}),
    ],
)
def test_a_flag_is_found_under_another_engines_name(engine: str, flag: str, others: dict[str, str]) -> None:
    assert same(engine, flag) == others


def test_every_name_and_every_meaning_is_given_once() -> None:
    names = Counter(meaning.name for meaning in meanings())
    assert [name for name, count in names.items() if count > 1] == []


def test_what_an_engine_says_and_what_it_lacks_never_overlap() -> None:
    for meaning in meanings():
        assert not meaning.spelled.keys() & meaning.lacking.keys(), meaning.name


def test_every_row_speaks_for_both_engines_that_one_may_migrate_to() -> None:
    """Silence would be a setting that is lost without a word."""
    for meaning in meanings():
        assert {"vllm", "sglang"} <= meaning.spelled.keys() | meaning.lacking.keys(), meaning.name


def test_words_of_one_meaning_are_the_meanings_of_the_other_engine_too() -> None:
    """A word that only one engine lists can never be carried over: at least one must be shared."""
    for meaning in meanings():
        lists = [set(spelling.values) for spelling in meaning.spelled.values() if spelling.values]
        shared = [
            {"true"} if not spelling.values else set(spelling.values) for spelling in meaning.spelled.values()
        ]
        if lists:
            assert set.intersection(*shared), meaning.name


def test_a_flag_with_two_meanings_has_the_narrower_first() -> None:
    first, second = meanings_of("tgi", "CUDA_GRAPHS")
    assert (first.name, second.name) == ("eager", "graph_sizes")

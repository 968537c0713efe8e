"""What one engine's flag is called by another."""

from __future__ import annotations

from collections import Counter

import pytest

from llmdeploy.catalog.defaults import telling_defaults
from llmdeploy.catalog.flags import flag_table
from llmdeploy.catalog.meanings import Spelling, meanings, meanings_of, same
from llmdeploy.registry import ENGINES as ENGINE_TABLES


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


# --- against the engines' own flags

ENGINES = ("vllm", "sglang", "tgi")
# Read by the engines' code, and no part of their parsers.
VARIABLES = {"VLLM_", "SGLANG_", "OTEL_"}


def spelled_by(engine: str) -> list[tuple[str, Spelling]]:
    return [(row.name, row.spelled[engine]) for row in meanings() if engine in row.spelled]


@pytest.mark.parametrize(
    ("engine", "meaning", "name"),
    [
        (engine, meaning, name)
        for engine in ENGINES
        for meaning, spelling in spelled_by(engine)
        for name in (spelling.name, *spelling.also)
        if not name.startswith(tuple(VARIABLES))
    ],
)
def test_every_flag_is_one_of_the_engines_newest_release(engine: str, meaning: str, name: str) -> None:
    table = flag_table(engine)
    assert table is not None
    spelling = name.partition(".")[0] if name.startswith("--") else name
    at = table.at(table.versions[-1]).values()
    assert any(spelling in (*flag.spellings, flag.env) for flag in at), meaning


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_every_word_is_one_that_the_flag_takes(engine: str) -> None:
    """Where the parser has a closed list, or a registry that is looked up after it."""
    table = flag_table(engine)
    assert table is not None
    newest = table.versions[-1]
    for meaning, spelling in spelled_by(engine):
        flag = table.find(spelling.name, newest)
        registry = spelling.name.lstrip("-").replace("-", "_")
        legal = (flag.choices or table.registry(registry, newest)) if flag else ()
        for word in spelling.values.values():
            assert not legal or word in legal, (meaning, word)


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_a_switch_is_carried_over_to_a_switch(engine: str) -> None:
    """And a number to a number: a row that names the wrong flag would show here."""
    other = {"vllm": "sglang", "sglang": "vllm"}[engine]
    tables = {each: flag_table(each) for each in (engine, other)}
    for row in meanings():
        if {engine, other} <= row.spelled.keys() and not any(
            row.spelled[each].values or row.spelled[each].by_hand for each in (engine, other)
        ):
            kinds = set()
            for each in (engine, other):
                flag = tables[each].find(row.spelled[each].name, tables[each].versions[-1])
                if flag is not None and "." not in row.spelled[each].name:
                    kinds.add("switch" if flag.kind == "switch" else "value")
            assert len(kinds) < 2, row.name


def test_every_variable_of_tgi_has_its_row_or_is_the_compilers() -> None:
    """So a model that leaves TGI loses nothing without a word."""
    tgi = ENGINE_TABLES["tgi"].table
    owned = {*tgi.owned_env, *(setting.env for setting in tgi.settings.values())}
    table = flag_table("tgi")
    assert table is not None
    at = table.at(table.versions[-1]).values()
    flags = {flag.env for flag in at if flag.env and flag.name.startswith("--")}
    assert [name for name in sorted(flags - owned) if not meanings_of("tgi", name)] == []


def test_every_telling_default_is_of_a_flag_that_some_release_has() -> None:
    for row in telling_defaults():
        table = flag_table(row.engine)
        assert table is not None and row.flag in table.names(), row.flag

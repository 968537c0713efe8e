"""The reader: plain data with positions, or diagnostics; never an exception, never a hang."""

from __future__ import annotations

import copy
import pickle
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from llmdeploy import yaml_nodes
from llmdeploy.diagnostics.model import Place
from llmdeploy.source import PlainFloat, PlainInt, Source, read


def data(text: str) -> dict[str, object]:
    source, problems = read(text)
    assert not problems
    return source.data


def only(text: str) -> tuple[str, int | None, int | None]:
    _, [problem] = read(text)
    return problem.code, problem.line, problem.column


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("-3", -3),
        ("12e5", 1_200_000.0),
        (".5", 0.5),
        ("+.inf", float("inf")),
        ("True", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("Null", None),
        ('"1"', "1"),
        ("'true'", "true"),
        ("&x 3", 3),
    ],
)
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(written: str, value: object) -> None:
    read_value = data(f"a: {written}")["a"]
    assert read_value == value
    assert isinstance(read_value, bool) == isinstance(value, bool)


def test_numbers_remember_how_they_were_written() -> None:
    source = data("a: 12e5\nb: 0x1F\nc: 0.10")
    assert [source[key].text for key in "abc"] == ["12e5", "0x1F", "0.10"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("number", [PlainInt(15, "0o17"), PlainFloat(0.1, "0.10")])
def test_numbers_survive_copies(number: PlainInt | PlainFloat) -> None:
    for twin in (copy.deepcopy(number), pickle.loads(pickle.dumps(number))):
        assert twin == number
        assert twin.text == number.text


def test_every_key_and_value_has_its_span() -> None:
    source, _ = read("name: x\nmodels:\n  chat: {gpus: 4}\nlist:\n- a\n- bc\n")
    assert source.locate(("models", "chat", "gpus"))[:2] == (3, 16)
    assert source.locate(("models", "chat", "gpus"), Place.KEY) == (3, 10, 3, 14)
    assert source.locate(("list", 1)) == (6, 3, 6, 5)


def test_a_block_is_located_at_its_key() -> None:
    source, _ = read("models:\n  chat:\n    gpus: 4\n")
    assert source.locate(("models", "chat")) == (2, 3, 2, 7)


def test_an_absent_key_is_located_at_the_nearest_mapping() -> None:
    source, _ = read("models:\n  chat: {gpus: 4}\n")
    assert source.locate(("models", "chat", "source", "hub")) == (2, 3, 2, 7)
    assert source.locate(("version",)) == (1, 1, 1, 1)


def test_an_alias_stands_for_its_anchor() -> None:
    assert data("a: &x {b: 1}\nc: *x")["c"] == {"b": 1}


def test_a_byte_order_mark_at_the_start_is_no_matter() -> None:
    assert data("\ufeffa: 1") == {"a": 1}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a: 1\na: 2", ("LD003", 2, 1)),
        ("a: {b: 1, b: 2}", ("LD003", 1, 11)),
        ("a: !!str 1", ("LD005", 1, 4)),
        ("a: !mine {}", ("LD005", 1, 4)),
        ("a: 1\n---\nb: 1", ("LD005", 2, 1)),
        ("<<: {a: 1}", ("LD005", 1, 1)),
        ("1: a", ("LD005", 1, 1)),
        ("null: a", ("LD005", 1, 1)),
        ("? [a]\n: b", ("LD005", 1, 3)),
        ("", ("LD006", None, None)),
        ("# nothing", ("LD006", None, None)),
        ("- a", ("LD006", 1, 1)),
        ("text", ("LD006", 1, 1)),
        ("a: b: c", ("LD002", 1, 5)),
        ("a:\n\tb: 1", ("LD002", 2, 1)),
        ("a: [1,\nb", ("LD002", 1, 4)),
        ("a: 'b\nc: d", ("LD002", 1, 4)),
        ("a: *b", ("LD002", 1, 4)),
        ("a: \x00", ("LD002", 1, 4)),
        ("a: b\x1b", ("LD002", 1, 5)),
        ("a: \ud800", ("LD002", 1, 4)),
        ("a: " + "9" * 5000, ("LD105", None, None)),
    ],
)
def test_what_llm_yaml_does_not_use_is_refused_where_it_stands(
    text: str, where: tuple[str, int | None, int | None]
) -> None:
    assert only(text) == where


def test_a_tab_is_called_a_tab() -> None:
    _, [problem] = read("a:\n\tb: 1")
    assert "tab" in problem.message
    assert problem.help == "indent with spaces"


def test_the_first_of_two_keys_is_shown() -> None:
    source, [problem] = read("a: {k: 1}\nb: 2\na: 3\n")
    assert source.data["a"] == {"k": 1}
    assert problem.notes[0].path == ("a",)


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))
LONG_BOMB = f"a: &a {'x' * 500_000}\n" + "".join(f"b{i}: *a\n" for i in range(10_000))


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 10_000,
        "a: " + "{a: " * 10_000,
        "- " * 10_000,
        "? " * 10_000,
        "a: &x [*x]",
        "a: &x {b: {c: *x}}",
        BOMB,
        LONG_BOMB,
        "a: x" + " " * (1 << 20),
        "a: [" + "1," * 300_000 + "]",
    ],
    ids=["lists", "mappings", "blocks", "keys", "cycle", "deep cycle", "bomb", "long bomb", "large", "wide"],
)
def test_hostile_files_are_refused_quickly(text: str) -> None:
    start = time.monotonic()
    code, _, _ = only(text)
    assert code == "LD004"
    assert time.monotonic() - start < 10


def test_the_pure_reader_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: &x {b: [1, 'c', ~]} # d\ne: *x\nf: |\n  # g\n"
    with_libyaml = read(text)[0]
    monkeypatch.setattr(yaml_nodes, "_Loader", yaml_nodes._PureLoader)
    assert read(text)[0].data == with_libyaml.data
    assert read("[" * 500)[1][0].code == "LD004"
    assert read("a: b: c")[1][0].code == "LD002"


def test_only_comments_are_comments() -> None:
    source, _ = read("a: 'x # y' # one\nb: |\n  # no\nc: d#no\n# two\ne: \"# no\" #three\nf: g # h # i\n")
    assert [(c.line, c.column, c.text) for c in source.comments] == [
        (1, 12, "# one"),
        (5, 1, "# two"),
        (6, 11, "#three"),
        (7, 6, "# h # i"),
    ]


def _seen(source: Source) -> object:
    return repr(source.data), source.spans, source.comments


@given(st.text())
def test_any_text_is_read_without_an_exception_and_always_alike(text: str) -> None:
    first, problems = read(text)
    second, again = read(text)
    assert _seen(first) == _seen(second)
    assert problems == again


YAML = st.lists(
    st.sampled_from([*"ab1-:,[]{}#&*!|>'\"%@`?~\n\t ", "\n  ", ": ", "- ", "<<", "\r\n", "é", "🎉"])
)


@given(YAML.map("".join))
def test_text_that_looks_like_yaml_is_read_without_an_exception(text: str) -> None:
    source, problems = read(text)
    for path in source.spans:
        span = source.locate(path)
        assert 1 <= span.line <= len(source.lines)
    for problem in problems:
        assert problem.line is None or 1 <= problem.line <= len(source.lines) + 1


@pytest.mark.parametrize("escape", ["\\0", "\\x7f", "\\u0080", "\\N", "\\uFEFF"])
def test_what_cannot_be_passed_on_cannot_be_escaped_either(escape: str) -> None:
    """No argument can hold a NUL, and kubectl does not bring the others through."""
    _, (problem,) = read(f'a: {{b: "c{escape}"}}')
    assert (problem.code, problem.path) == ("LD105", ("a", "b"))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="ascii", exclude_categories=("Cc",)) | st.sampled_from("\t\n\r")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.sampled_from("abc")), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.sampled_from("abc")), JSON, min_size=1))
def test_what_pyyaml_writes_is_read_back(value: dict[str, object]) -> None:
    # PyYAML writes for YAML 1.1, where `1e5` is text; quoting all text leaves nothing to differ about.
    class Quoting(yaml.SafeDumper):
        pass

    Quoting.add_representer(
        str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
    )
    source, problems = read(yaml.dump(value, Dumper=Quoting))
    assert not problems
    assert source.data == value

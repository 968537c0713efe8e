"""Editing an llm.yaml: what was meant is said, and nothing else changes by a byte."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmdeploy.rewrite.edit import CannotEdit, edited
from llmdeploy.rewrite.edits import Edit, Put, Remove, Rename, applied, value_at
from llmdeploy.source import Source, read

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*/llm.yaml"))

BLOCK = """\
version: 1
models:
  chat: # many
    source:   org/model   # padded
    engine: 'tgi' # waived
    engine_args:   # arguments
      a: 1 # one
      # about b
      b: >-
        long
        text

    # tail
routes: []
"""
FLOW = """\
models: {chat: { source: org/model, engine: 'tgi', engine_args: {a: 1, b: 2} }} # behind
"""
JSON = """\
{
  "models": {
    "chat": {
      "source": "org/model",
      "engine_args": {"a": 1, "b": 2}
    }
  }
}
"""
CHAT = ("models", "chat")
ARGS = (*CHAT, "engine_args")


def source(text: str) -> Source:
    found, problems = read(text)
    assert not problems
    return found


def changed(text: str, *edits: Edit) -> tuple[list[str], list[str]]:
    """Return the lines that went, and those that came."""
    diff = list(difflib.ndiff(text.splitlines(), edited(source(text), edits).splitlines()))
    return [line[2:] for line in diff if line[0] == "-"], [line[2:] for line in diff if line[0] == "+"]


@pytest.mark.parametrize(
    ("text", "edit", "went", "came"),
    [
        (BLOCK, Put((*CHAT, "engine"), "vllm"), "    engine: 'tgi' # waived", "    engine: 'vllm' # waived"),
        (BLOCK, Put((*CHAT, "source"), "a/b"), "    source:   org/model   # padded", "    source:   a/b   # padded"),
        (BLOCK, Rename((*ARGS, "a"), "c"), "      a: 1 # one", "      c: 1 # one"),
        (BLOCK, Rename((*ARGS, "a"), "c", "yes"), "      a: 1 # one", '      c: "yes" # one'),
        (FLOW, Put((*CHAT, "engine"), "vllm"), FLOW, FLOW.replace("tgi", "vllm")),
        (FLOW, Remove((*ARGS, "a")), FLOW, FLOW.replace("a: 1, ", "")),
        (FLOW, Remove((*ARGS, "b")), FLOW, FLOW.replace(", b: 2", "")),
        (FLOW, Rename((*ARGS, "b"), "c"), FLOW, FLOW.replace("b: 2", "c: 2")),
        (FLOW, Put((*ARGS, "c"), {"d": 1}), FLOW, FLOW.replace("b: 2", "b: 2, c: {d: 1}")),
        (JSON, Rename((*ARGS, "a"), "c"), '      "engine_args": {"a": 1, "b": 2}', '      "engine_args": {"c": 1, "b": 2}'),
    ],
)  # fmt: skip
def test_one_edit_changes_one_line(text: str, edit: Edit, went: str, came: str) -> None:
    assert changed(text, edit) == ([went.rstrip("\n")], [came.rstrip("\n")])


@pytest.mark.parametrize(
    ("text", "edit", "came"),
    [
        (BLOCK, Put((*CHAT, "context"), 8192, ("engine",)), ["    context: 8192"]),
        (BLOCK, Put((*CHAT, "tools"), {"parser": "x"}, ("nowhere",)), ["    tools: {parser: x}"]),
        (BLOCK, Put((*CHAT, "env"), {"A": "1"}, ("source",)), ['    env: {A: "1"}']),
        (BLOCK, Put((*CHAT, "env", "A"), "1", ("source",)), ['    env: {A: "1"}']),
        (JSON, Put((*CHAT, "context"), 8192, ("source",)), ['      "context": 8192,']),
    ],
)
def test_a_new_entry_is_one_line_more(text: str, edit: Edit, came: list[str]) -> None:
    assert changed(text, edit) == ([], came)


@pytest.mark.parametrize(
    ("text", "edit", "went"),
    [
        (BLOCK, Remove((*ARGS, "a")), ["      a: 1 # one"]),
        (BLOCK, Remove((*ARGS, "b")), ["      # about b", "      b: >-", "        long", "        text"]),
        ("m:\n  # two\n  # lines\n  a: 1\n  b: 2\n", Remove(("m", "a")), ["  # two", "  # lines", "  a: 1"]),
        # what a blank line sets off, or what stands at another indentation, speaks of more than one entry
        ("m:\n  # group\n\n  # mine\n  a: 1\n  b: 2\n", Remove(("m", "a")), ["  # mine", "  a: 1"]),
        ("m:\n# group\n  a: 1\n  b: 2\n", Remove(("m", "a")), ["  a: 1"]),
        ("m:\n  b: 2\n  a: 1\n  # behind\n", Remove(("m", "a")), ["  a: 1"]),
        ("m: {\n  # one\n  a: 1,\n  b: 2 }\n", Remove(("m", "a")), ["  # one", "  a: 1,"]),
        (
            "m: {\n  b: 2,\n  # one\n  a: 1, # two\n  c: 3 }\n",
            Remove(("m", "a")),
            ["  # one", "  a: 1, # two"],
        ),
    ],
)
def test_what_is_removed_takes_the_comments_along_that_speak_of_it(
    text: str, edit: Edit, went: list[str]
) -> None:
    assert changed(text, edit) == (went, [])


@pytest.mark.parametrize(
    ("text", "came"),
    [
        ("m:\n  x: 1\n  e:\n    # why\n    a: 1 # how\n    b: 2\n", ["  # why", "  new: 1 # how"]),
        ("m:\n  x: 1\n  e:\n    a: # how\n      1\n    b: 2\n", ["  new: 1 # how"]),
        ("m:\n  x: 1\n  e: {\n    # why\n    a: 1,\n    b: 2 }\n", ["  # why", "  new: 1"]),
    ],
)
def test_comments_go_where_their_value_goes(text: str, came: list[str]) -> None:
    gone, new = changed(text, Remove(("m", "e", "a")), Put(("m", "new"), 1, ("x",), (("m", "e", "a"),)))
    assert new == came
    assert all("b: 2" not in line for line in gone)


def test_comments_of_what_moves_into_braces_stand_above_them() -> None:
    text = "m:\n  e: {b: 2}\n  v:\n    # why\n    a: 1 # how\n    c: 3\n"
    edits = Remove(("m", "v", "a")), Put(("m", "e", "new"), 1, (), (("m", "v", "a"),))
    assert changed(text, *edits)[1] == ["  # why", "  # how", "  e: {b: 2, new: 1}"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('m:\n  "on": 1\n  b: 2\n', "  new: 1"),
        ('m: {"a": 1, b: 2}\n', 'm: {"a": 1, b: 2, new: 1}'),
        ('m: {"a": 1, "b": 2}\n', 'm: {"a": 1, "b": 2, "new": 1}'),
    ],
)
def test_a_new_key_has_quotes_where_all_keys_beside_it_have_them(text: str, line: str) -> None:
    assert changed(text, Put(("m", "new"), 1))[1] == [line]


def test_a_new_entry_stands_behind_the_one_that_it_wants_to_follow() -> None:
    lines = edited(
        source(BLOCK), [Put((*CHAT, "context"), 1, ("source",)), Put((*CHAT, "dtype"), "auto", ("source",))]
    )
    at = lines.splitlines().index("    source:   org/model   # padded")
    assert lines.splitlines()[at + 1 : at + 3] == ["    context: 1", "    dtype: auto"]


def test_what_is_new_behind_a_mapping_stands_behind_what_is_new_inside_it() -> None:
    text = "m:\n  e:\n    a: 1\n  # why\n  f: {b: 2}\n"
    inside, behind = Put(("m", "e", "new"), 1), Put(("m", "other"), 2, ("e",))
    for edits in ([inside, behind], [behind, inside]):
        lines = edited(source(text), edits).splitlines()
        assert lines == ["m:", "  e:", "    a: 1", "    new: 1", "  other: 2", "  # why", "  f: {b: 2}"]


def test_what_is_new_stands_above_the_comments_that_move_into_the_next_braces() -> None:
    text = "m:\n  e: 1\n  f: {b: 2}\n  v:\n    # why\n    a: 1\n    c: 3\n"
    moves = [Remove(("m", "v", "a")), Put(("m", "f", "a"), 1, (), (("m", "v", "a"),))]
    came = changed(text, *moves, Put(("m", "other"), 2, ("e",)))[1]
    assert came == ["  other: 2", "  # why", "  f: {b: 2, a: 1}"]


def test_a_mapping_that_is_emptied_goes_with_all_that_speaks_of_it() -> None:
    gone, came = changed(BLOCK, Remove((*ARGS, "a")), Remove((*ARGS, "b")))
    assert gone == ["    engine_args:   # arguments", "      a: 1 # one", "      # about b", "      b: >-", "        long", "        text"]  # fmt: skip
    assert came == []


def test_a_long_new_mapping_gets_lines_of_its_own() -> None:
    values = {f"argument-{number}": number for number in range(9)}
    gone, came = changed(BLOCK, *(Put((*CHAT, "env", key), value) for key, value in values.items()))
    assert not gone and came == ["    env:", *(f"      {key}: {value}" for key, value in values.items())]


def test_a_mapping_becomes_a_value() -> None:
    text = 'models:\n  chat:\n    source:\n      openllm: "llama3.3:70b" # big\n    gpus: 1\n'
    assert edited(source(text), [Put((*CHAT, "source"), "org/model")]) == (
        "models:\n  chat:\n    # big\n    source: org/model\n    gpus: 1\n"
    )


def test_comments_inside_braces_survive_the_other_entries() -> None:
    text = "models: {chat: {source: org/model, engine_args: {\n  a: 1, # one\n  b: 2, # two\n  c: 3 # three\n}}}\n"
    comments = {"a": "# one", "b": "# two", "c": "# three"}
    for key, mine in comments.items():
        result = edited(source(text), [Remove((*ARGS, key))])
        assert [each for each in comments.values() if each not in result] == [mine]


def test_a_comment_on_a_line_of_many_entries_stays() -> None:
    text = "m: {\n  a: 1, b: 2, # both\n  c: 3 }\n"
    for key in "ab":
        assert "# both" in edited(source(text), [Remove(("m", key))])


def test_no_newline_at_the_end_and_none_after_it() -> None:
    text = "models:\n  chat:\n    source: org/model"
    assert edited(source(text), [Put((*CHAT, "context"), 1)]) == text + "\n    context: 1"


def test_line_endings_are_those_of_the_file() -> None:
    result = edited(source(BLOCK.replace("\n", "\r\n")), [Put((*CHAT, "context"), 1), Remove((*ARGS, "a"))])
    assert result.count("\n") == result.count("\r\n") == BLOCK.count("\n")


@pytest.mark.parametrize(
    "text",
    [
        "models: {one: &it {source: org/model, engine: tgi}, chat: *it}\n",
        "models:\n  one: &it\n    source: org/model\n    engine: tgi\n  chat: *it\n",
        "models:\n  chat:\n    source: org/model\n    engine: |-\n      tgi\n    gpus: 1\n",
    ],
)
def test_what_cannot_be_edited_alone_is_not_edited(text: str) -> None:
    with pytest.raises(CannotEdit):
        edited(source(text), [Put((*CHAT, "engine"), "vllm")])


def test_what_cannot_be_edited_is_named_with_its_line_and_the_reason() -> None:
    text = "models:\n  one: &it\n    source: org/model\n    engine: tgi\n  chat: *it\n"
    with pytest.raises(CannotEdit) as refused:
        edited(source(text), [Put((*CHAT, "engine"), "vllm")])
    (stuck,) = refused.value.entries
    assert (stuck.entry, stuck.line) == ("models.chat.engine", 4)
    assert stuck.reason == "it is shared with `models.one` (`&`, `*`)"
    text = "models:\n  chat:\n    source: org/model\n    engine: |-\n      tgi\n    gpus: 1\n"
    with pytest.raises(CannotEdit) as refused:
        edited(source(text), [Put((*CHAT, "gpus"), 2), Put((*CHAT, "engine"), "vllm")])
    assert str(refused.value) == "`models.chat.engine` (line 4): its value is written over several lines"


def test_an_edit_of_an_anchor_would_change_its_aliases_too() -> None:
    text = "models:\n  chat: &it\n    source: org/model\n    engine: tgi\n  two: *it\n"
    with pytest.raises(CannotEdit):
        edited(source(text), [Put((*CHAT, "engine"), "vllm")])


# --- any edit of any example


def entries(data: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(data, dict):
        return []
    return [way for key, value in data.items() for way in ((*path, key), *entries(value, (*path, key)))]


SCALARS = st.one_of(st.text("abcXYZ019 :#'\"{}-_é\n", max_size=12), st.integers(), st.booleans())
VALUES = st.one_of(
    SCALARS,
    st.lists(SCALARS, max_size=3),
    st.dictionaries(st.text("ab-c", min_size=1), SCALARS, min_size=1, max_size=3),
)


@st.composite
def some_edits(draw: st.DrawFn, data: dict[str, object]) -> list[Edit]:
    """Edits below the models, no two of one place and none inside another."""
    paths = [path for path in entries(data) if path[0] == "models" and len(path) in (3, 4)]
    edits: list[Edit] = []
    for path in draw(st.lists(st.sampled_from(paths), min_size=1, max_size=4, unique=True)):
        if any(other.path == path[: len(other.path)] or path == other.path[: len(path)] for other in edits):
            continue
        # A model without its source is none.
        kinds = ["put", "new"] if path[-1] == "source" else ["put", "new", "rename", "remove"]
        kind = draw(st.sampled_from(kinds))
        if kind == "put":
            edits.append(Put(path, draw(VALUES)))
        elif kind == "new":
            name = f"new-{len(edits)}"
            edits.append(Put((*path[:-1], name), draw(VALUES), draw(st.sampled_from([(), (path[-1],)]))))
        elif kind == "rename":
            edits.append(Rename(path, f"renamed-{len(edits)}"))
        else:
            edits.append(Remove(path))
    return edits


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@given(choice=st.data())
def test_any_edit_of_an_example_touches_its_own_lines_only(
    example: Path, newline: str, choice: st.DataObject
) -> None:
    before = source(example.read_text(encoding="utf-8").replace("\n", newline))
    edits = choice.draw(some_edits(before.data))
    after = source(edited(before, edits))
    meant = applied(before.data, edits)
    for edit in edits:  # a mapping that is emptied goes as a whole
        if isinstance(edit, Remove) and value_at(meant, edit.path[:-1]) == {}:
            way = meant
            for key in edit.path[:-2]:
                way = way[key]
            way.pop(edit.path[-2], None)
    assert after.data == meant
    touched = {line for edit in edits for line in lines_of(before, edit)}
    rest = [line for number, line in enumerate(before.lines, 1) if number not in touched]
    left = iter(after.lines)
    assert all(line in left for line in rest), "a line that no edit speaks of is another, or elsewhere"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.parent.name)
@given(choice=st.data())
def test_any_edit_of_an_example_in_braces_says_what_was_meant(example: Path, choice: st.DataObject) -> None:
    data = source(example.read_text(encoding="utf-8")).data
    before = source(json.dumps(data, indent=choice.draw(st.sampled_from([None, 2]))))
    edits = choice.draw(some_edits(before.data))
    assert source(edited(before, edits)).data.keys() == data.keys()  # it raises where it says another thing


def lines_of(before: Source, edit: Edit) -> range:
    path = edit.path if edit.path in before.spans else edit.path[:-1]
    key, value = before.spans[path]
    if path != edit.path and before.text.splitlines()[value.line - 1][value.column - 1 : value.column] != "{":
        return range(0)  # a new entry of a block mapping is lines of its own
    if isinstance(edit, Remove) and len(value_at(before.data, path[:-1])) <= 4:
        key, value = before.spans[path[:-1]]  # may have been emptied
    first = key.line if key else value.line
    while isinstance(edit, Remove) and before.lines[first - 2].lstrip().startswith("#"):
        first -= 1  # what speaks of it goes along
    return range(first, max(first, value.end_line - (value.end_column == 1)) + 1)

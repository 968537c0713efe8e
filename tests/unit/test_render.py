"""Diagnostics as text, for people and programs; credentials stay hidden in each of them."""

from __future__ import annotations

import json
from textwrap import dedent

import pytest

from llmdeploy.diagnostics import Diagnostic, Note
from llmdeploy.diagnostics.model import Place
from llmdeploy.diagnostics.redact import looks_like_credential, names_credential, redact_line
from llmdeploy.diagnostics.render import Format, render, sort
from llmdeploy.diagnostics.snippet import WIDTH, width
from llmdeploy.source import read

TEXT = "version: 1\nmodels:\n  chat:\n    gpus: {pool: h100, count: 1}\n    dtype: bf16\n"
PATH = ("models", "chat", "gpus", "count")


def shown(text: str, diagnostic: Diagnostic, format: Format = "full") -> str:
    return render([diagnostic], read(text)[0], format)


def underlined(text: str, diagnostic: Diagnostic) -> str:
    """Return what of the shown line is above the underline."""
    lines = shown(text, diagnostic).splitlines()
    at = next(i for i, line in enumerate(lines) if line.rstrip().endswith("^"))
    begin, end = lines[at].index("^"), len(lines[at])
    line, picked, column = lines[at - 1], "", 0
    for character in line:
        if begin <= column < end:
            picked += character
        column += width(character)
    return picked


def test_the_full_shape() -> None:
    notes = (Note("the pool has 8"), Note("the model is here", ("models", "chat")))
    diagnostic = Diagnostic("LD303", "too many", PATH, "set `count: 4`", notes)
    assert shown(TEXT, diagnostic) == dedent(
        """\
        error[LD303]: too many
          --> llm.yaml:4:31
           |
         4 |     gpus: {pool: h100, count: 1}
           |                               ^
           = note: the pool has 8
           = note: the model is here
          ::: llm.yaml:3:3
           = help: set `count: 4`"""
    )


def test_the_gutter_fits_the_line_number() -> None:
    text = "a: 1\n" + "\n" * 98 + "b: 2\n"
    assert shown(text, Diagnostic("LD501", "so", ("b",))).splitlines()[1:] == [
        "    --> llm.yaml:100:4",
        "     |",
        " 100 | b: 2",
        "     |    ^",
    ]


def test_a_finding_about_the_whole_file_shows_no_line() -> None:
    assert shown(TEXT, Diagnostic("LD102", "the file lacks `name`", ("name",))) == (
        "error[LD102]: the file lacks `name`\n  --> llm.yaml:1:1"
    )


def test_a_key_is_underlined_where_the_key_is_meant() -> None:
    assert underlined(TEXT, Diagnostic("LD101", "x", PATH, place=Place.KEY)) == "count"
    assert underlined(TEXT, Diagnostic("LD101", "x", PATH[:-1])) == "{pool: h100, count: 1}"


@pytest.mark.parametrize(
    "line",
    [
        "a: {x: 日本語, b: here}",
        "a: {x: 🎉🎉, b: here}",
        "a: {x: e\u0301, b: here}",
        'a: {x: "\t\t", b: here}',
    ],
)
def test_the_underline_keeps_its_place_behind_wide_characters_and_tabs(line: str) -> None:
    assert underlined(line, Diagnostic("LD105", "x", ("a", "b"))) == "here"


@pytest.mark.parametrize("before", [0, 30, 500])
@pytest.mark.parametrize("after", [0, 500])
def test_a_long_line_is_cut_around_its_underlined_part(before: int, after: int) -> None:
    line = f'a: {{x: "{"x" * before}", b: here, z: "{"z" * after}"}}'
    diagnostic = Diagnostic("LD105", "x", ("a", "b"))
    assert underlined(line, diagnostic) == "here"
    assert all(len(text) <= WIDTH + 8 for text in shown(line, diagnostic).splitlines())


def test_a_value_of_many_lines_is_underlined_on_its_first() -> None:
    assert underlined("a: [1,\n  2]\n", Diagnostic("LD105", "x", ("a",))) == "[1,"


def test_nothing_steers_the_terminal() -> None:
    text = 'a: "\\e[31m"\n'
    assert "\x1b" not in shown(text, Diagnostic("LD105", "bad \x1b[31m\nvalue", ("a",), "no \x07"))
    assert "\x1b" not in render([Diagnostic("LD105", "\x1b[31m", ("a",))], read(text)[0], "concise")


def test_color_only_adds_color() -> None:
    diagnostic = Diagnostic("LD303", "too many", PATH, "less")
    source, _ = read(TEXT)
    colored = render([diagnostic], source, color=True)
    assert colored != render([diagnostic], source)
    for style in ("1;31", "1;34", "1", "0"):
        colored = colored.replace(f"\x1b[{style}m", "")
    assert colored == render([diagnostic], source)


def test_the_json_shape() -> None:
    diagnostic = Diagnostic("LD501", "so", ("models", "chat"), notes=(Note("there", ("version",)),))
    assert json.loads(shown(TEXT, diagnostic, "json")) == {
        "diagnostics": [
            {
                "code": "LD501",
                "severity": "warning",
                "message": "so",
                "path": ["models", "chat"],
                "file": "llm.yaml",
                "line": 3,
                "column": 3,
                "help": None,
                "notes": [{"text": "there", "path": ["version"]}],
            }
        ]
    }


def test_no_diagnostics_are_an_empty_list_in_json() -> None:
    assert json.loads(render([], read(TEXT)[0], "json")) == {"diagnostics": []}


def test_the_concise_shape() -> None:
    assert shown(TEXT, Diagnostic("LD303", "too many", PATH), "concise") == "llm.yaml:4:31: LD303 too many"


def test_the_shape_for_github_is_escaped() -> None:
    source, _ = read(TEXT, "a,b:c.yaml")
    diagnostic = Diagnostic("LD407", "50%\nof it", PATH, "a: b")
    assert render([diagnostic], source, "github") == (
        "::notice file=a%2Cb%3Ac.yaml,line=4,col=31,title=LD407::50%25%0Aof it%0Ahelp: a: b"
    )


def test_diagnostics_are_sorted_by_their_place() -> None:
    source, _ = read(TEXT)
    later, earlier = Diagnostic("LD104", "x", ("models", "chat", "dtype")), Diagnostic("LD303", "x", PATH)
    whole = Diagnostic("LD102", "x", ("name",))
    assert sort([later, earlier, whole], source) == [whole, earlier, later]


HIDDEN = [
    "models: {m: {env: {HF_TOKEN: hunter2}}}",
    "models: {m: {env: {HF_TOKEN: 'hunter2 and more'}}}",
    "models: {m: {env: {my_password: hunter2}}}",
    "models: {m: {engine_args: {api-key: hunter2}}}",
    "models: {m: {engine_args: {api-key: [hunter2, hunter2]}}}",
    "secrets: {s: hunter2}",
    "secrets: {s: {value: hunter2}}",
    "secrets: {s: {env: 'hunter2!'}}",
    "anything: hf_hunter2",
    "anything: sk-hunter2",
    "anything: 'Bearer sk-hunter2'",
    "models: {m: {env: {HF_TOKEN: hunter2, HF_TOKEN: hunter2}}}",
    "models: {m: {env: {HF_TOKEN: hunter2",
    "models: {m: {env: {password: hunter2",
    "models: {m: {env: {password: 'a, hunter2'",
]


@pytest.mark.parametrize("line", HIDDEN)
def test_a_credential_is_not_echoed(line: str) -> None:
    source, problems = read(line)
    assert "hunter2" not in redact_line(source, 1, loose=bool(problems))
    for problem in [
        *problems,
        Diagnostic("LD103", "x", ("models", "m")),
        Diagnostic("LD103", "x", ("secrets", "s")),
    ]:
        if not problems or problem in problems:
            assert "hunter2" not in render([problem], source)


def test_a_credential_of_several_lines_is_not_echoed() -> None:
    source, _ = read("models:\n  m:\n    env:\n      HF_TOKEN: |\n        hunter2\n        hunter2\n")
    assert all("hunter2" not in redact_line(source, number) for number in range(1, 8))


def test_references_and_names_are_shown() -> None:
    text = (
        "secrets: {hf: {env: HF_TOKEN, kubernetes: {name: hf, key: token}}}\nmodels: {m: {token: hf-token}}"
    )
    source, _ = read(text)
    assert "\n".join(redact_line(source, number) for number in (1, 2)) == text


def test_the_underline_behind_a_credential_keeps_its_place() -> None:
    text = "models: {m: {env: {HF_TOKEN: hunter2hunter2hunter2, X: here}}}"
    assert underlined(text, Diagnostic("LD103", "x", ("models", "m", "env", "X"))) == "here"


@pytest.mark.parametrize("text", ["hf_abcdefgh", "sk-abc123", "Bearer sk-abc123", "key=hf_abcdefgh"])
def test_what_looks_like_a_credential(text: str) -> None:
    assert looks_like_credential(text)


@pytest.mark.parametrize("text", ["hf-token", "HF_TOKEN", "org/sk-model", "task-force", "hf", "risk-averse"])
def test_what_does_not_look_like_a_credential(text: str) -> None:
    assert not looks_like_credential(text)


@pytest.mark.parametrize("key", ["HF_TOKEN", "api-key", "api_key", "KEY", "DB_PASSWORD", "client-secret"])
def test_what_names_a_credential(key: str) -> None:
    assert names_credential(key)


@pytest.mark.parametrize("key", ["MAX_TOKENS", "tokenizer", "KEYS", "monkey", "keyed"])
def test_what_names_no_credential(key: str) -> None:
    assert not names_credential(key)

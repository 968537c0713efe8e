"""Flags are found in the source of an engine's package without importing it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.tools import ROOT

sys.path.insert(0, str(ROOT / "scripts/catalogs/flags"))
from read_source import READERS, differences


def package(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_vllm_adds_engine_flags_and_has_the_fields_of_the_server(tmp_path):
    vllm = package(
        tmp_path,
        engine__arg_utils='group.add_argument("--tensor-size", "-tp", **kwargs["x"])\n',
        entrypoints__openai__cli_args=(
            "class BaseFrontendArgs:\n    chat_template: str | None = None\n"
            "class Other:\n    not_a_flag: int = 0\n"
            "class FrontendArgs(BaseFrontendArgs):\n    port: int = 8000\n"
            'def make_arg_parser(parser):\n    parser.add_argument("--headless")\n'
        ),
    )
    assert set(READERS["vllm"](vllm)) == {"--tensor-size", "-tp", "--chat-template", "--port", "--headless"}


@pytest.mark.parametrize(
    ("annotation", "flags"),
    [
        ('A[int, "help"]', {"--a-field"}),
        ('A[int, f"help {words}", Resolved()]', {"--a-field"}),
        ('A[int, Arg(help="x", aliases=["--other"])]', {"--a-field", "--other"}),
        ('A[int, Arg(cli_name="--named")]', {"--named"}),
        ("A[int, Arg(no_cli=True)]", set()),
        ("A[int, Derived()]", set()),
        ("int", set()),
        ("list[int]", set()),
    ],
)
def test_sglang_says_of_a_field_whether_it_is_a_flag(tmp_path, annotation, flags):
    sglang = package(tmp_path, srt__server_args=f"class ServerArgs:\n    a_field: {annotation} = 0\n")
    assert set(READERS["sglang"](sglang)) == flags


def test_a_difference_is_told_whichever_side_lacks_the_flag(tmp_path):
    sglang = package(
        tmp_path, srt__server_args='parser.add_argument("--named")\nparser.add_argument("--no-x")\n'
    )
    dump = {"flags": {"--x": {"negations": ["--no-x"]}, "--help": {"aliases": ["-h"]}}, "registries": {}}
    assert differences("sglang", sglang, dump) == ["--named", "--x"]
    assert differences("tgi", tmp_path, dump) == []

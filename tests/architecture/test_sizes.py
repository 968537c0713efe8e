"""How long a module and a function may be: what is longer is about more than one thing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "llmdeploy"
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))

LONGEST_MODULE = 350
LONGEST_BODY = 50
"""Lines behind the signature and the docstring: those of a command are its help."""


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_one_subject(module: str) -> None:
    lines = (PACKAGE / module).read_text(encoding="utf-8").count("\n")
    assert lines <= LONGEST_MODULE, "divide it by what its parts are about"


@pytest.mark.parametrize("module", MODULES)
def test_a_function_does_one_thing(module: str) -> None:
    tree = ast.parse((PACKAGE / module).read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    lengths = {each.name: body(each) for each in functions}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_BODY} == {}


def body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first, *rest = function.body
    if rest and ast.get_docstring(function) is not None:
        first = rest[0]
    return (function.end_lineno or first.lineno) - first.lineno + 1

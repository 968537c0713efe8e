"""Which flags the source of a release names, by its syntax trees: a second witness for what its parser says.

A release is imported with the packages of another one. Were a flag lost on the way, or gained, it shows here.
Only spellings are compared; `--no-x` is made by the parser and stands nowhere.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from merge import Dump

FRONTEND = ("BaseFrontendArgs", "FrontendArgs")


def differences(engine: str, package: Path, dump: Dump) -> list[str]:
    """What a parser has and the source of its package (the folder) does not name, or the other way round."""
    if engine not in READERS:
        return []
    named = set(READERS[engine](package)) | {"-h", "--help"}
    yes = {spelling for name, row in dump["flags"].items() for spelling in (name, *row.get("aliases", ()))}
    no = {spelling for row in dump["flags"].values() for spelling in row.get("negations", ())}
    return sorted((yes - named) | (named - yes - no))


def vllm(package: Path) -> Iterator[str]:
    """Engine flags are added one by one; those of the server are the fields of two classes."""
    homes = [package / "entrypoints" / home / "cli_args.py" for home in ("common", "launchers", "openai")]
    server = next(path for path in homes if path.exists() and "def make_arg_parser" in path.read_text())
    for path in (package / "engine/arg_utils.py", server):
        tree = ast.parse(path.read_text())
        yield from _added(tree)
        for name, _ in _fields(tree, FRONTEND):
            yield _flag(name)


def sglang(package: Path) -> Iterator[str]:
    """Until 0.5.13 flags are added one by one; since then they are fields, which say more about themselves."""
    for path in (package / "srt/server_args.py", *sorted(package.glob("srt/arg_groups/fields/*.py"))):
        tree = ast.parse(path.read_text())
        yield from _added(tree)
        for name, annotation in _fields(tree):
            yield from _annotated(name, annotation)


READERS: Mapping[str, Callable[[Path], Iterator[str]]] = {"vllm": vllm, "sglang": sglang}


def _added(tree: ast.AST) -> Iterator[str]:
    """The spellings of every `….add_argument("--x", "-y", …)`."""
    for call in ast.walk(tree):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr == "add_argument"
        ):
            texts = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
            yield from (text for text in texts if text.startswith("-"))


def _fields(tree: ast.Module, owners: tuple[str, ...] = ()) -> Iterator[tuple[str, ast.expr]]:
    """The annotated fields of these classes, or of all."""
    for owner in tree.body:
        if isinstance(owner, ast.ClassDef) and (not owners or owner.name in owners):
            for field in owner.body:
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    yield field.target.id, field.annotation


def _annotated(name: str, annotation: ast.expr) -> Iterator[str]:
    """`A[int, "help"]` is a flag, and so is `A[int, Arg(…)]` unless that says `no_cli`."""
    if not (isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name)):
        return
    if annotation.value.id != "A" or not isinstance(annotation.slice, ast.Tuple):
        return
    for about in annotation.slice.elts[1:]:
        said: dict[str, Any] = {}
        if isinstance(about, ast.Call):
            if ast.unparse(about.func) != "Arg":
                continue
            wanted = ("cli_name", "aliases", "no_cli")
            said = {word.arg: ast.literal_eval(word.value) for word in about.keywords if word.arg in wanted}
        if not said.get("no_cli"):
            yield from (said.get("cli_name") or _flag(name), *(said.get("aliases") or ()))


def _flag(field: str) -> str:
    return "--" + field.replace("_", "-")

"""A key that llm.yaml does not have: a misspelling, or a key of another level."""

from __future__ import annotations

from pydantic import BaseModel

from llmdeploy.diagnostics import Diagnostic, Path
from llmdeploy.diagnostics.model import Place
from llmdeploy.diagnostics.suggest import MANY, closest, listed, question
from llmdeploy.spec.shape import Shape, at, fields
from llmdeploy.spec.words import subject


def unknown_key(path: Path, root: type[BaseModel]) -> Diagnostic:
    key, parent = str(path[-1]), path[:-1]
    where = f" in `{subject(parent)}`" if parent else ""
    return Diagnostic(
        "LD101", f"unknown key `{key}`{where}", path, _advice(key, parent, root), place=Place.KEY
    )


def _advice(key: str, parent: Path, root: type[BaseModel]) -> str | None:
    names = _keys(at(root, parent))
    below = [name for name in names if key in _keys(at(root, (*parent, name)))]
    if below:
        return f"`{key}` belongs under {listed(below)}"
    meant = closest(key, names)
    if meant is not None:
        return question(meant)
    for length in range(len(parent) - 1, -1, -1):
        if key in _keys(at(root, parent[:length])):
            above = f"`{subject(parent[:length])}`" if length else "the top of the file"
            return f"`{key}` belongs further out, in {above}"
    return f"it takes {listed(names)}" if len(names) <= MANY else "see `llmdeploy schema` for the keys"


def _keys(shape: Shape | None) -> list[str]:
    return list(fields(shape.model)) if shape and shape.model else []

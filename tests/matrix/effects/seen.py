"""What is seen of a change: a diagnostic that speaks of the field, or something that runs and is another."""

from __future__ import annotations

import json
import pathlib
import re
from typing import Any

from support import readback, specs

from effects.row import Path
from llmdeploy.compiler import Result
from llmdeploy.diagnostics import Diagnostic

_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
_HASH = re.compile(r"\b(?:[0-9a-f]{8}|[0-9a-f]{12})\b")


def speaks_of(found: Diagnostic, field: Path) -> bool:
    """Say whether a diagnostic stands at the field or below it; what is not yet supported is refused as a whole."""
    if found.code == "LD110":
        return field[: len(found.path)] == found.path
    if found.path[: len(field)] == field:
        return True
    # Two parties can be at odds; the other one may be named by its mapping.
    return any(note.path and note.path in (field, field[:-1]) for note in found.notes)


def observed(result: Result, name: str, folder: pathlib.Path) -> Any:
    """Return what of the artifacts makes a difference: no comments, no hashes, no prose.

    A value of the chart is nothing until a template uses it, so for helm's own fields the chart is rendered.
    """
    assert result.plan
    texts = {
        artifact.path: _HASH.sub("#", _COMMENT.sub("", artifact.text))
        for artifact in result.artifacts
        if not artifact.path.startswith(("helm/", "README"))
    }
    if not name.startswith("targets.helm."):
        return texts
    specs.written(result, folder)
    objects = readback.rendered(
        result.plan, folder / "helm" / result.plan.name, "--namespace", _namespace(result)
    )
    return texts, _HASH.sub("#", json.dumps(objects, sort_keys=True))


def _namespace(result: Result) -> str:
    # The chart leaves it to `helm install -n`, which the README's commands say.
    (readme,) = (artifact.text for artifact in result.artifacts if artifact.path == "README.md")
    found = re.search(r"helm upgrade .*(?:-n|--namespace)[ =](\S+)", readme)
    return found[1] if found else "default"

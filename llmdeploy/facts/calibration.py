"""llmdeploy.calibration.yaml: what `llmdeploy calibrate --save` keeps, read and written."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, Literal

import msgspec
from msgspec import Struct, structs

from llmdeploy.emit.yaml import dump
from llmdeploy.facts import Fault
from llmdeploy.memory.corrections import Correction
from llmdeploy.source import read

_HEAD = """\
# What engines took of their GPUs beside what llmdeploy predicts, in GiB to add on each of them (weights: a factor).
# Written by `llmdeploy calibrate LOG --save`, and used by every command that reads the llm.yaml beside it. Commit it.
"""
_PLACE = re.compile(r"(.*) - at `\$(.*)`$", re.DOTALL)
# msgspec's words, in ours.
_WORDS = {
    "`float | null`": "a number",
    "`float`": "a number",
    "`int`": "a whole number",
    "`str`": "text",
    "`null`": "nothing",
    "`bool`": "true or false",
    "`object`": "a mapping",
    "`array`": "a list",
}
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


class File(Struct, frozen=True, forbid_unknown_fields=True):
    version: Literal[1]
    corrections: tuple[Correction, ...]


def parse(text: str, name: str) -> tuple[tuple[Correction, ...], Fault | None]:
    """Return the corrections of a file, or none of them and the first thing that is wrong with it."""
    source, problems = read(text, name)
    if problems:
        first = problems[0]
        line = first.line or source.locate(first.path).line
        return (), Fault(name, line, first.message)
    try:
        return msgspec.convert(_plain(source.data), File).corrections, None
    except msgspec.ValidationError as error:
        said = _PLACE.match(str(error))
        message, place = (said[1], said[2]) if said else (str(error), "")
        for theirs, ours in _WORDS.items():
            message = message.replace(theirs, ours)
        path = tuple(int(index) if index else key for key, index in _STEP.findall(place))
        at = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")
        where = f"`{at}`: " if at else ""
        return (), Fault(name, source.locate(path).line, f"{where}{message[:1].lower()}{message[1:]}")


def text(corrections: Iterable[Correction]) -> str:
    """Return the file that holds these, in an order that does not depend on when they were made."""
    rows = [
        {
            key: value
            for key, value in structs.asdict(each).items()
            if value is not None and (key, value) != ("pipeline", 1)
        }
        for each in sorted(corrections, key=lambda each: each.key)
    ]
    return _HEAD + dump({"version": 1, "corrections": rows})


def _plain(value: Any) -> Any:
    """Return the data without the numbers that know how they were written; one that is not finite is no number."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else value

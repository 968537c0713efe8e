"""Broken llm.yaml files, from good ones and a seed.

`invalid` breaks one thing and knows where; `free` edits the text blindly.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from llmdeploy.diagnostics import Path
from llmdeploy.source import read
from llmdeploy.spec.model import Spec
from llmdeploy.spec.shape import Shape, at

Data = dict[str, Any]
TWIN = "\N{WHITE SQUARE}"  # marks the second of two keys until the text is written

# Where any number is text, and so no number is wrong.
TEXTUAL = {"env", "devices", "node_selector", "annotations", "value", "capability"}
# Where the name of something else stands.
REFERENCES = {"token", "pool", "auth", "model", "engine"}


@dataclass(frozen=True)
class Mutant:
    text: str
    path: Path
    what: str


@dataclass(frozen=True)
class Place:
    """A place in a good file that can be broken."""

    path: Path
    value: Any
    shape: Shape
    required: bool


def invalid(text: str, seed: int, count: int) -> Iterator[Mutant]:
    """Yield `count` mutants of a good file, each wrong at its `path`."""
    source, problems = read(text)
    assert not problems
    data = json.loads(json.dumps(source.data))
    places = list(_places(data, ()))
    random = Random(seed)
    while count:
        place, break_ = random.choice(places), random.choice(BREAKS)
        mutated = copy.deepcopy(data)
        path = break_(mutated, place)
        if path is not None:
            count -= 1
            # JSON is YAML, and keeps its keys on lines of their own.
            written = json.dumps(mutated, indent=2, ensure_ascii=False).replace(TWIN, "")
            yield Mutant(written, path, break_.__name__.removeprefix("_"))


def _places(value: Any, path: Path) -> Iterator[Place]:
    shape = at(Spec, path)
    if shape is None or shape.free:
        return
    yield Place(path, value, shape, _is_required(path))
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, item in entries:
        yield from _places(item, (*path, key))


def _is_required(path: Path) -> bool:
    parent = at(Spec, path[:-1]) if path else None
    fields = parent.model.model_fields if parent and parent.model else {}
    return any(field.is_required() for name, field in fields.items() if (field.alias or name) == path[-1])


def _inside(data: Data, path: Path) -> Any:
    for key in path:
        data = data[key]  # type: ignore[index]
    return data


def _set(data: Data, place: Place, value: Any) -> Path | None:
    if not place.path:
        return None
    _inside(data, place.path[:-1])[place.path[-1]] = value
    return place.path


def _required_key_removed(data: Data, place: Place) -> Path | None:
    if not place.required:
        return None
    del _inside(data, place.path[:-1])[place.path[-1]]
    return place.path


def _unknown_key_added(data: Data, place: Place) -> Path | None:
    if not isinstance(place.value, dict) or place.shape.model is None:
        return None
    _inside(data, place.path)["zzz"] = 1
    return (*place.path, "zzz")


def _wrong_type(data: Data, place: Place) -> Path | None:
    return _set(data, place, {"wrong": 1} if isinstance(place.value, list) else [[]])


def _null(data: Data, place: Place) -> Path | None:
    return _set(data, place, None)


def _below_its_range(data: Data, place: Place) -> Path | None:
    is_number = isinstance(place.value, (int, float)) and not isinstance(place.value, bool)
    return _set(data, place, -1) if is_number and not TEXTUAL & set(place.path) else None


def _text_for_a_boolean(data: Data, place: Place) -> Path | None:
    return _set(data, place, "yes") if isinstance(place.value, bool) else None


def _dangling_reference(data: Data, place: Place) -> Path | None:
    is_reference = bool(place.path) and place.path[-1] in REFERENCES and isinstance(place.value, str)
    return _set(data, place, "no-such-thing") if is_reference and not TEXTUAL & set(place.path) else None


def _duplicate_key(data: Data, place: Place) -> Path | None:
    if not place.path or isinstance(place.path[-1], int):
        return None
    _inside(data, place.path[:-1])[place.path[-1] + TWIN] = place.value
    return place.path


def _bad_name(data: Data, place: Place) -> Path | None:
    if place.path[:-1] not in (("models",), ("gpus",), ("secrets",)):
        return None
    data[str(place.path[0])]["Bad_Name"] = place.value
    return (place.path[0], "Bad_Name")


def _more_gpus_than_there_are(data: Data, place: Place) -> Path | None:
    if place.path[-1:] != ("count",) or place.path[0] != "models":
        return None
    return _set(data, place, 60_000)


BREAKS: list[Callable[[Data, Place], Path | None]] = [
    _required_key_removed,
    _unknown_key_added,
    _wrong_type,
    _null,
    _below_its_range,
    _text_for_a_boolean,
    _dangling_reference,
    _duplicate_key,
    _bad_name,
    _more_gpus_than_there_are,
]

TOKENS = [
    *(
        ": ",
        "- ",
        " #",
        "{",
        "}",
        "[",
        "]",
        ",",
        '"',
        "'",
        "&a ",
        "*a",
        "!!x ",
        "<<: ",
        "~",
        "%",
        "@",
        "`",
        "|",
        ">",
        "?",
    ),
    *("\t", "\n", "\n  ", "\r\n", "---\n", "\x00", "\x1b[31m", "\u2028", "é", "🎉"),
    *("null", "true", "-1", "0", "1e999", ".nan", "0x", "''", "9" * 20),
    *("${X}", "$(id)", "{{ x }}", "hf_abcdefgh"),
]


def free(text: str, seed: int, count: int) -> Iterator[str]:
    """Yield `count` mutants that may be anything, good files among them."""
    random = Random(seed)
    for _ in range(count):
        mutant = text
        for _ in range(random.randint(1, 4)):
            mutant = random.choice(EDITS)(mutant, random)
        yield mutant


def _cut(text: str, random: Random) -> str:
    start = random.randint(0, len(text))
    return text[:start] + text[start + random.randint(1, 20) :]


def _insert(text: str, random: Random) -> str:
    at = random.randint(0, len(text))
    return text[:at] + random.choice(TOKENS) + text[at:]


def _flip(text: str, random: Random) -> str:
    at = random.randint(0, len(text))
    return text[:at] + chr(random.randint(0, 0x2FF)) + text[at + 1 :]


def _repeat(text: str, random: Random) -> str:
    start = random.randint(0, len(text))
    part = text[start : start + random.randint(1, 60)]
    return text[:start] + part * random.randint(2, 5) + text[start:]


def _shuffle_lines(text: str, random: Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    lines.insert(random.randrange(len(lines) + 1), lines.pop(random.randrange(len(lines))))
    return "".join(lines)


def _drop_line(text: str, random: Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    del lines[random.randrange(len(lines))]
    return "".join(lines)


def _indent_line(text: str, random: Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at = random.randrange(len(lines))
    lines[at] = " " * random.randint(1, 4) + lines[at] if random.random() < 0.5 else lines[at][1:]
    return "".join(lines)


def _new_value(text: str, random: Random) -> str:
    lines = text.splitlines(keepends=True) or [""]
    at = random.randrange(len(lines))
    key, colon, _ = lines[at].partition(": ")
    lines[at] = f"{key}: {random.choice(TOKENS)}\n" if colon else lines[at]
    return "".join(lines)


EDITS: list[Callable[[str, Random], str]] = [
    _cut,
    _insert,
    _flip,
    _repeat,
    _shuffle_lines,
    _drop_line,
    _indent_line,
    _new_value,
]

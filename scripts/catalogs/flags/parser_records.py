"""What an argparse parser knows of its flags, as plain records. Run inside an engine's own Python.

The actions are asked rather than read where that says more: an engine's type functions are closures, and a
subclass of BooleanOptionalAction alone knows which of its spellings mean no.
"""

from __future__ import annotations

import argparse
import contextlib
import enum
import math
import re
from collections.abc import Callable
from typing import Any

from record import Record, compact, first_sentence

_SELF_DEPRECATING = re.compile(r"(?:^|[.:!] )\W*deprecated\b|--[\w-]+`? is deprecated", re.IGNORECASE)


def records(parser: argparse.ArgumentParser) -> dict[str, Record]:
    """Every option of the parser, `--help` included, by its full name; positionals are none."""
    spelled: dict[int, list[str]] = {}
    # Not `option_strings` of an action: vLLM takes those out that help shall not show.
    for spelling, action in parser._option_string_actions.items():
        spelled.setdefault(id(action), []).append(spelling)
    found = [
        _record(action, spelled[id(action)], parser) for action in parser._actions if id(action) in spelled
    ]
    assert len({row["name"] for row in found}) == len(found), "two flags of one name"
    return {row.pop("name"): row for row in found}


def _record(action: argparse.Action, spellings: list[str], parser: argparse.ArgumentParser) -> Record:
    name = _name(action, spellings)
    negations = [spelling for spelling in spellings if _means_no(action, spelling, parser)]
    aliases = [spelling for spelling in spellings if spelling != name and spelling not in negations]
    suppressed = action.help == argparse.SUPPRESS
    hidden = spellings if suppressed else [text for text in spellings if text not in action.option_strings]
    default = _json(action.default)
    text = "" if suppressed else (action.help or "")
    row = {
        "name": name,
        "kind": _kind(action),
        "type": _type(action, default),
        "aliases": sorted(aliases),
        "negations": sorted(negations),
        "hidden": sorted(hidden),
        "choices": sorted(str(choice) for choice in action.choices or () if choice is not None),
        "folded": _folded(action),
        "default": default,
        "deprecated": _deprecated(action, text, parser),
        "help": first_sentence(_plain(text)),
    }
    return compact(row)


def _name(action: argparse.Action, spellings: list[str]) -> str:
    """The field's own name, which the engine's Python API and configuration files use too; it seldom changes."""
    full = "--" + action.dest.replace("_", "-")
    return (
        full
        if full in spellings
        else next((text for text in spellings if text.startswith("--")), spellings[0])
    )


def _kind(action: argparse.Action) -> str:
    if isinstance(action, argparse._AppendAction):
        return "append"
    if action.nargs is None:
        return "value"
    return {0: "switch", "?": "optional"}.get(action.nargs, "list")


def _means_no(action: argparse.Action, spelling: str, parser: argparse.ArgumentParser) -> bool:
    if not isinstance(action, argparse.BooleanOptionalAction):
        return False
    namespace = argparse.Namespace()
    action(parser, namespace, [], spelling)
    return getattr(namespace, action.dest) is False


def _type(action: argparse.Action, default: Any) -> str:
    if action.nargs == 0:
        return "bool"
    convert = action.type if callable(action.type) else str
    if _is_json(convert) or (_accepts(convert, "x") and _is_object(default)):
        return "json"
    if _accepts(convert, "x"):
        return "bool" if convert is bool else "text"
    if _result(convert, "2k") == 2000:
        return "size"
    # 2048 is also a port; a number of megabytes or a rank may well be nothing above.
    for number in ("1", "2048"):
        if isinstance(result := _result(convert, number), int) and not isinstance(result, bool):
            return "int"
    if isinstance(_result(convert, "0.5"), float):
        return "float"
    return "bool" if _result(convert, "true") is True else "text"


def _is_json(convert: Callable[[str], Any]) -> bool:
    """Whether it reads JSON and nothing else. A dataclass may refuse every object that we can think of."""
    try:
        convert("x")
    except Exception as refusal:
        said = f"{type(refusal).__name__} {refusal}".lower()
        return "json" in said or _accepts(convert, "{}") or _accepts(convert, "[]")
    return False


def _is_object(default: Any) -> bool:
    """Text whose default is an object is read as JSON later on."""
    return isinstance(default, dict) or (
        isinstance(default, str) and re.fullmatch(r"\{.*\}", default) is not None
    )


def _accepts(convert: Callable[[str], Any], text: str) -> bool:
    with contextlib.suppress(Exception):
        convert(text)
        return True
    return False


def _result(convert: Callable[[str], Any], text: str) -> Any:
    with contextlib.suppress(Exception):
        return convert(text)
    return None


def _folded(action: argparse.Action) -> bool:
    """Whether the case of a choice and `-` for `_` do not matter, because the type function folds them."""
    choices = [choice for choice in action.choices or () if isinstance(choice, str)]
    if not choices or not callable(action.type):
        return False
    shouted = [choice.upper().replace("_", "-") for choice in choices]
    return shouted != choices and [_result(action.type, text) for text in shouted] == choices


def _json(value: Any) -> Any:
    """A default as JSON; None where the engine builds an object of its own."""
    if isinstance(value, enum.Enum):
        return _json(value.value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, bool | int | str):
        return None if value == argparse.SUPPRESS else value
    if isinstance(value, set | frozenset):
        return sorted(_json(item) for item in value)
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, dict) and type(value) is dict:
        return {str(key): _json(item) for key, item in sorted(value.items())}
    return None


def _deprecated(action: argparse.Action, text: str, parser: argparse.ArgumentParser) -> str | None:
    paragraphs = [" ".join(part.split()) for part in _plain(text).split("\n\n")]
    warns = (
        type(action).__name__.startswith("Deprecated")
        or action in getattr(parser, "_deprecated", ())
        or getattr(action, "deprecated", False)
    )
    if warns:
        return " ".join(paragraphs) or "deprecated"
    return next((part for part in paragraphs if _SELF_DEPRECATING.search(part)), None)


def _plain(text: str) -> str:
    return text.replace("%%", "%")

"""Whether a flag takes a value, by the rules of the parser that will read it."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from llmdeploy.catalog.flags import Flag
from llmdeploy.diagnostics.suggest import did_you_mean
from llmdeploy.numbers import PlainNumber


class Fault(NamedTuple):
    """What is wrong, as the end of a sentence about the flag, and what to write instead."""

    text: str
    help: str | None = None


class Numbers(NamedTuple):
    """How a parser reads numbers."""

    sizes: Mapping[str, int] = {}
    """The suffixes of sizes, with their factors."""
    in_json: bool = False
    """Whether JSON may have sizes without quotes."""
    is_rust: bool = False


def text_of(value: Any) -> str:
    """Return a value as it stands on the command line."""
    if isinstance(value, PlainNumber):
        return value.text
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping | list):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return str(value)


def fault(value: Any, flag: Flag, numbers: Numbers) -> Fault | None:
    """Return what the parser would find wrong with the value of a flag."""
    if flag.kind == "switch":
        if isinstance(value, bool):
            return None
        return Fault(f"is a switch, and takes no `{text_of(value)}`", "write `true` or `false`")
    if flag.kind == "optional" and value is True:
        return None
    if flag.kind in ("list", "append"):
        return _faults(value, flag, numbers)
    return _fault(value, flag, numbers)


def _faults(value: Any, flag: Flag, numbers: Numbers) -> Fault | None:
    found = [_fault(one, flag, numbers) for one in (value if isinstance(value, list) else [value])]
    first = next(filter(None, found), None)
    if first and isinstance(value, str) and len(parts := re.split(r"[,\s]+", value.strip())) > 1:
        return Fault(first.text, f"write a list: `[{', '.join(parts)}]`")
    return first


def _fault(value: Any, flag: Flag, numbers: Numbers) -> Fault | None:
    if flag.type == "json":
        return None if isinstance(value, Mapping | list) else _json(text_of(value), flag, numbers)
    text, wanted = text_of(value), _WANTED[flag.type]
    if isinstance(value, Mapping | list):
        what = "a list" if isinstance(value, list) else "a mapping"
        return Fault(f"takes {wanted}, not {what}", "write one value")
    if isinstance(value, bool) and flag.type != "bool":
        return Fault(f"takes {wanted}, not `{text}`", "write a value")
    if flag.choices:
        return None if _chosen(text, flag) else Fault(f"takes no `{text}`", did_you_mean(text, flag.choices))
    help = _READERS[flag.type](text, numbers)
    return Fault(f"takes {wanted}, not `{text}`", help) if help else None


def _chosen(text: str, flag: Flag) -> bool:
    return text in flag.choices or (flag.folded and text.lower().replace("-", "_") in flag.choices)


_WANTED = {
    "text": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "`true` or `false`",
    "size": "a size",
}


def _json(text: str, flag: Flag, numbers: Numbers) -> Fault | None:
    try:
        # vllm/engine/arg_utils.py, _expand_json_human_readable_numbers
        bare = rf"(?<=[:,\[])\s*[0-9.]+({'|'.join(numbers.sizes)})(?=\s*[,}}\]])"
        read = json.loads(re.sub(bare, "1", text) if numbers.in_json else text)
    except ValueError as error:
        if text.lstrip().startswith(("{", "[")):
            return Fault(f"is not JSON: {error}", _shape(text, flag))
        read = None
    if isinstance(read, dict | list):
        return None
    return Fault(f"takes JSON, not `{text}`", _shape(text, flag))


def _shape(text: str, flag: Flag) -> str:
    """Return what JSON to write: of the kind that the default is."""
    if not isinstance(flag.default, list):
        return "write a mapping, which becomes JSON"
    parts = [part for part in re.split(r"[,\s]+", text.strip(" []{}")) if part]
    listed = ", ".join(json.dumps(part.strip("\"'")) for part in parts)
    return f"write a list, which becomes JSON: `[{listed or '…'}]`"


def _int(text: str, numbers: Numbers) -> str | None:
    try:
        if numbers.is_rust and "_" in text:
            raise ValueError
        number = int(text)
    except ValueError:
        return _meant(text)
    return "write 0 or more" if numbers.is_rust and number < 0 else None


def _meant(text: str) -> str:
    try:
        number = float(int(text, 0)) if re.match(r"0[xo]", text) else float(text)
    except ValueError:
        number = -1
    return f"write `{number:.0f}`" if math.isfinite(number) and number >= 0 else "write digits alone"


def _float(text: str, numbers: Numbers) -> str | None:
    try:
        float(text)
    except ValueError:
        return "write a number like `0.5`"
    return "write a number like `0.5`" if numbers.is_rust and "_" in text else None


def _bool(text: str, numbers: Numbers) -> str | None:
    return None if text.lower() in ("true", "false") else "write `true` or `false`"


def _size(text: str, numbers: Numbers) -> str | None:
    """vLLM reads `k` as 1000 and `K` as 1024, SGLang `k` as 1000 and `Ki` as 1024."""
    if re.fullmatch(r"-1|auto", text):
        return None
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]+)", text)
    if match is None:
        return _int(text, numbers) and f"write digits, or one of the suffixes {_suffixes(numbers)}"
    number, suffix = match.groups()
    if suffix not in numbers.sizes:
        return f"write one of the suffixes {_suffixes(numbers)}"
    factor = numbers.sizes[suffix]
    if "." in number and factor % 10:
        return f"write `{float(number) * factor:.0f}`: a suffix that counts in 1024 takes no decimals"
    return None


def _suffixes(numbers: Numbers) -> str:
    return ", ".join(f"`{suffix}` ({factor})" for suffix, factor in list(numbers.sizes.items())[:2]) + " …"


def _any(text: str, numbers: Numbers) -> str | None:
    return None


_READERS: Mapping[str, Callable[[str, Numbers], str | None]] = {
    "text": _any,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "size": _size,
}

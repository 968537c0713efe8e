"""Sentences of the tables, made into regexes."""

from __future__ import annotations

import re

# What is no number (a `nan` of a division by nothing) is read as such, so that it can be refused by name.
_NONE = r"-?(?:inf|nan)"
KINDS = {
    "size": rf"(?P<{{0}}>-?\d[\d.]*|{_NONE}) ?(?P<{{0}}_unit>[KMGT]i?B)",
    "gib": rf"(?P<{{0}}>-?\d[\d.]*|{_NONE})",
    "number": rf"(?P<{{0}}>-?\d[\d.]*|{_NONE})",
    "int": rf"(?P<{{0}}>\d[\d,]*|{_NONE})",
}
_UNITS = {"K": 2.0**-20, "M": 2.0**-10, "G": 1.0, "T": 2.0**10}
_PART = re.compile(r"<(\w+):(\w+)>|…")


def regex(text: str) -> re.Pattern[str]:
    """Return the regex of a sentence with `<term:kind>` and `…` in it."""
    parts, at = [], 0
    for found in _PART.finditer(text):
        parts.append(re.escape(text[at : found.start()]))
        parts.append(KINDS[found[2]].format(found[1]) if found[1] else ".{0,120}?")
        at = found.end()
    return re.compile("".join([*parts, re.escape(text[at:])]))


def anchor(text: str) -> str:
    """Return the longest literal part of a sentence: a line without it needs no closer look."""
    return max((part for part in re.split(r"<\w+:\w+>|…", text)), key=len)


def values(found: re.Match[str]) -> dict[str, float]:
    """Return the numbers of a match by term. What only looks like a number (`1.2.3`) is left out."""
    groups = found.groupdict()
    read = {
        term: _number(text, groups.get(f"{term}_unit"))
        for term, text in groups.items()
        if text is not None and not term.endswith("_unit")
    }
    return {term: value for term, value in read.items() if value is not None}


def _number(text: str, unit: str | None) -> float | None:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        return None
    return value * _UNITS[unit[0]] if unit else value

"""An engine's own line of arguments: a Python dict, a Namespace or a list of `key=value`."""

from __future__ import annotations

import re

_NESTED = re.compile(r"\{[^{}]*\}|\[[^\[\]]*\]|\([^()]*\)")
_PAIR = re.compile(
    r"""(?<!\w)['"]?(?P<key>[a-z]\w*)['"]?(?:=|:\s)(?P<value>'[^']*'|"[^"]*"|[^\s,'"{}()\[\]]+)"""
)
_DEPTH = 12


def settings(text: str) -> dict[str, str]:
    """Return the arguments whose value is plain, as text without quotes. Of one that comes twice, the first."""
    for _ in range(_DEPTH):
        text, count = _NESTED.subn("", text)
        if not count:
            break
    found: dict[str, str] = {}
    for pair in _PAIR.finditer(text):
        found.setdefault(pair["key"], pair["value"].strip("'\""))
    return {key: value for key, value in found.items() if value != "None"}

"""The names by which a checkpoint says what is not quantized: whole paths, globs, regular expressions, single words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate
from functools import lru_cache

from llmdeploy.memory.errors import UnmodelledError

_PREFIX = r"^(model\.language_model\.|language_model\.model\.|language_model\.|model\.|backbone\.)+"

MOST_LAYERS = 1000
"""No model has more."""
_LAYER = r"^(?!re:)(.*\blayers\.)(\d+)(\..*)$"


def normal(path: str) -> str:
    """Drop what a multi-modal checkpoint puts before the language model's own names."""
    return re.sub(_PREFIX, "", path)


@lru_cache(maxsize=64)
def compiled(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return one expression for them all, to be searched for in a normal path; None where there are none.

    A pattern names a module or what lies below it. A single word is any module of that name, wherever it stands.
    """
    each = [_expression(pattern) for pattern in patterns if not pattern.startswith("...")]
    try:
        return re.compile("|".join(f"(?:{one})" for one in each)) if each else None
    except re.error as wrong:
        raise UnmodelledError(
            "quantization", f"a name of what is not quantized is no pattern: {wrong}"
        ) from None


def _expression(pattern: str) -> str:
    if pattern.startswith("re:"):
        body = re.sub(r"^\^?(\.\*)?", "", pattern[3:])
        body = re.sub(r"^(model|language_model)\\?\.((model|language_model)\\?\.)?", "", body)
        return body
    name = normal(pattern)
    glob = translate(name).removeprefix("(?s:").removesuffix(")\\Z").removesuffix(")\\z")
    if "." not in name and "*" not in name:
        return rf"(?:^|\.){glob}(?:\.|$)"
    start = "" if name.startswith("*") else "^"
    return rf"{start}{glob}(?:\.|$)"


def numbered(pattern: str) -> frozenset[int] | None:
    """Return the layers that a pattern names by number, at least; None where it is more than a plain path can say.

    `layers.1.mlp` is one layer, and `layers.1*` every one whose number begins with it.
    """
    if pattern.startswith("re:") or re.search(r"[?\[\]()]", pattern):
        return None
    found: set[int] = set()
    for number, end in re.findall(r"layers\.(\d+)(\.|$)?", pattern):
        found |= (
            {int(number)} if end else {each for each in range(MOST_LAYERS) if str(each).startswith(number)}
        )
    return frozenset(found) or None


def condense(names: Sequence[str], layers: int | None = None) -> list[str]:
    """Replace the numbers of layers by `*` where a module is named in all of them.

    Copies of long lists are cut short, in the order of their letters ("...(283 total)"). There a module that is named in
    a layer beyond the ninth, or in four, is taken to be named in all: lists of the first layers alone (those without
    experts) are shorter.
    """
    listed = [name for name in names if not name.startswith("...")]
    cut = len(listed) != len(names)
    found: dict[tuple[str, str], set[int]] = {}
    kept: list[str] = []
    for name in listed:
        split = re.match(_LAYER, name)
        if split is None:
            kept.append(name)
        else:
            found.setdefault((split[1], split[3]), set()).add(int(split[2]))
    for (before, after), numbers in found.items():
        in_all = layers is not None and len(numbers) >= layers
        if in_all or (cut and (max(numbers) > 9 or len(numbers) > 3)):
            kept.append(f"{before}*{after}")
        else:
            kept += [f"{before}{number}{after}" for number in sorted(numbers)]
    return kept

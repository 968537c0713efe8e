"""From an engine's words to the entry of llm.yaml that they are about."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from llmdeploy.diagnostics import Path
from llmdeploy.engines.table import Setting, field_of


def blamed(
    text: str,
    argv: Sequence[str],
    origin: Path,
    engine_args: Sequence[str],
    settings: Mapping[str, Setting],
) -> Path:
    """Return the path of the entry that gave the flag which `text` names; `origin`, the model's, where none is named.

    An engine names a flag as it is written (`--max-model-len`), or its setting in words (`max_model_len`,
    "tensor parallel size"). The one that is named first counts, and of two that begin there the longer.
    """
    said = text.lower()
    named = [
        (found.start(), -len(found[0]), flag)
        for flag in _flags(argv)
        if (found := re.search(_pattern(flag), said)) is not None
    ]
    for _, _, flag in sorted(named):
        if (path := _origin(flag, engine_args, settings)) is not None:
            return (*origin, *path)
    return origin


def _flags(argv: Sequence[str]) -> Iterator[str]:
    for word in argv:
        if re.match(r"-{1,2}[A-Za-z]", word):
            yield word.partition("=")[0]


def _pattern(flag: str) -> str:
    """Match the flag itself, or its words; not inside of other words."""
    words = r"[-_ ]".join(map(re.escape, _bare(flag).split("-")))
    return rf"(?<![a-z0-9_.-]){re.escape(flag.lower())}(?![a-z0-9_-])|(?<![a-z0-9_.-])(?:--)?{words}(?![a-z0-9_-])"


def _bare(flag: str) -> str:
    """Return `max-model-len` for `--max_model_len`; what is negated, and what stands behind a dot, is the same flag."""
    name = flag.lstrip("-").lower().replace("_", "-").partition(".")[0]
    return re.sub(r"^no-(?=.)", "", name)


def _origin(flag: str, engine_args: Sequence[str], settings: Mapping[str, Setting]) -> Path | None:
    """Return where llm.yaml states what gave this flag, below the model."""
    for key in engine_args:
        if _bare(key) == _bare(flag):
            return ("engine_args", key)
    for row in settings.values():
        if _bare(flag) in {_bare(each) for each in row.spelled if each}:
            return tuple(field_of(row.name).split("."))
    return None

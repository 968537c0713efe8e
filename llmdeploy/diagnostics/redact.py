"""Credentials never reach a message, nor the line of llm.yaml that is shown beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from llmdeploy.diagnostics.model import Path
from llmdeploy.source import Source

MASK = "[REDACTED]"

_CREDENTIAL = re.compile(
    r"(?<![A-Za-z0-9_/-])"
    r"(?:hf_[A-Za-z0-9]{3,}|sk-[A-Za-z0-9_-]{3,}|gh[pousr]_[A-Za-z0-9]{20,}|nvapi-[A-Za-z0-9_-]{8,}|AKIA[A-Z0-9]{16})"
)
_NAMES = re.compile(r"(?:^|[_-])(?:token|key|secret|password)$", re.IGNORECASE)
_SHOUTED = re.compile(
    r"[A-Z0-9_]*(?:TOKEN|KEY|SECRET|PASSWORD)[\"']?\s*[:=]\s*(?P<value>[^\s,}{\]\[#][^,}\]#]*)"
)
_SPOKEN = re.compile(_SHOUTED.pattern, re.IGNORECASE)


def looks_like_credential(text: str) -> bool:
    """Tell whether `text` contains what looks like a credential: `hf_…`, `sk-…`."""
    return _CREDENTIAL.search(text) is not None


def names_credential(key: str) -> bool:
    """Tell whether a value under this name is a credential: `HF_TOKEN`, `api-key`."""
    return _NAMES.search(key) is not None


def is_secret(path: Path) -> bool:
    """Tell whether a literal at `path` is a credential, or would be one if the file were right."""
    if path[:1] == ("secrets",):
        return len(path) == 2 or path[2] not in ("env", "kubernetes")
    held = len(path) > 3 and path[0] == "models" and path[2] in ("env", "engine_args")
    return held and any(names_credential(str(key)) for key in path[3:])


def redact(text: str) -> str:
    return _CREDENTIAL.sub(MASK, text)


def redact_line(source: Source, number: int, loose: bool = False) -> tuple[str, list[tuple[int, int]]]:
    """Return line `number` of the file without credentials, and which ranges of the original were replaced.

    `loose` is for files that were not read to the end, where only the words of the line can tell.
    """
    line = source.lines[number - 1]
    ranges = _merge(sorted(_ranges(source, number, line, loose or not source.spans)))
    for start, end in reversed(ranges):
        line = line[:start] + MASK + line[end:]
    return line, ranges


def _ranges(source: Source, number: int, line: str, loose: bool) -> Iterator[tuple[int, int]]:
    for match in _CREDENTIAL.finditer(line):
        yield match.span()
    for match in (_SPOKEN if loose else _SHOUTED).finditer(line):
        start, end = match.span("value")
        yield start, start + len(line[start:end].rstrip())
    for path, (_, span) in source.spans.items():
        if span.line <= number <= span.end_line and is_secret(path) and _is_scalar(source, path):
            start = span.column - 1 if number == span.line else len(line) - len(line.lstrip())
            end = span.end_column - 1 if number == span.end_line else len(line)
            if start < end:
                yield start, end


def _is_scalar(source: Source, path: Path) -> bool:
    """Mappings and lists are not hidden as a whole; their scalars are."""
    value: object = source.data
    for key in path:
        value = value[key]  # type: ignore[index]
    return not isinstance(value, (dict, list))


def _merge(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in ranges:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged

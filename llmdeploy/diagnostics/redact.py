"""Credentials never reach a message, nor the line of llm.yaml that is shown beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from llmdeploy.diagnostics.model import Diagnostic, Path
from llmdeploy.source import Comment, Source, Span

MASK = "[REDACTED]"

_CREDENTIAL = (
    r"(?<![A-Za-z0-9_/-])"
    r"(?:hf_[A-Za-z0-9]{3,}|sk-[A-Za-z0-9_-]{3,}|gh[pousr]_[A-Za-z0-9]{20,}|nvapi-[A-Za-z0-9_-]{8,}|AKIA[A-Z0-9]{16})"
    r"|(?<=://)[^\s/@:\"']+:[^\s/@\"']+(?=@)"  # user and password in an address
)
# Long enough that nothing else is meant: a Hub id or a served name may begin with `sk-`.
_BEYOND_DOUBT = (
    r"(?<![A-Za-z0-9_/-])"
    r"(?:hf_[A-Za-z0-9]{20,}|sk-(?=[A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{20,}"
    r"|gh[pousr]_[A-Za-z0-9]{20,}|nvapi-[A-Za-z0-9_-]{20,}|AKIA[A-Z0-9]{16})"
)
_REFERENCE = r"[A-Za-z0-9._-]+"
_NAMES = r"(?i)(?:^|[_-])(?:token|key|secret|password)$"
_SHOUTED = (
    r"(?:TOKEN|KEY|SECRET|PASSWORD)[\"']?\s*[:=]\s*"
    r"(?P<value>\"[^\"]*\"?|'[^']*'?|[^\s,}{\]\[#][^,}\]#]*)"
)
_SPOKEN = "(?i)" + _SHOUTED


def looks_like_credential(text: str) -> bool:
    """Tell whether `text` contains what looks like a credential: `hf_…`, `sk-…`."""
    return re.search(_CREDENTIAL, text) is not None


def is_credential(text: str) -> bool:
    """Tell whether `text` contains a credential beyond doubt, wherever it stands."""
    return re.search(_BEYOND_DOUBT, text) is not None


def names_credential(key: str) -> bool:
    """Tell whether a value under this name is a credential: `HF_TOKEN`, `api-key`."""
    return re.search(_NAMES, key) is not None


def is_secret(path: Path, value: object) -> bool:
    """Tell whether the scalar at `path` is a credential, or would be one if the file were right."""
    if path[:1] == ("secrets",):
        is_reference = path[2:3] in (("env",), ("kubernetes",)) and re.fullmatch(_REFERENCE, str(value))
        return len(path) > 1 and not is_reference
    held = len(path) > 3 and path[0] == "models" and path[2] in ("env", "engine_args")
    return held and any(names_credential(str(key)) for key in path[3:])


def redact(text: str) -> str:
    return re.sub(_CREDENTIAL, MASK, text)


def redacted(found: Diagnostic) -> Diagnostic:
    """Return the finding without credentials: it may name what stands where a reference is wanted."""
    notes = tuple(replace(note, text=redact(note.text)) for note in found.notes)
    help = redact(found.help) if found.help else found.help
    return replace(found, message=redact(found.message), help=help, notes=notes)


def redact_line(source: Source, number: int, loose: bool = False) -> str:
    """Return line `number` of the file without credentials."""
    line = source.lines[number - 1]
    for start, end in reversed(secret_ranges(source, number, loose)):
        line = line[:start] + MASK + line[end:]
    return line


def redact_comment(source: Source, comment: Comment) -> str:
    """Return a comment of the file without credentials."""
    text = comment.text
    for start, end in reversed(secret_ranges(source, comment.line)):
        if start >= comment.column - 1:
            text = text[: start - comment.column + 1] + MASK + text[end - comment.column + 1 :]
    return text.rstrip()


def secret_ranges(source: Source, number: int, loose: bool = False) -> list[tuple[int, int]]:
    """Return where the credentials of line `number` stand, in order and apart from each other.

    `loose` is for files that were not read to the end, where only the words of the line can tell.
    """
    return _merge(sorted(_ranges(source, number, source.lines[number - 1], loose or not source.spans)))


def _ranges(source: Source, number: int, line: str, loose: bool) -> Iterator[tuple[int, int]]:
    for match in re.finditer(_CREDENTIAL, line):
        yield match.span()
    for match in re.finditer(_SPOKEN if loose else _SHOUTED, line):
        start, end = match.span("value")
        yield start, start + len(line[start:end].rstrip())
    for span in _secret_spans(source):
        if span.line <= number <= span.end_line:
            start = span.column - 1 if number == span.line else len(line) - len(line.lstrip())
            end = span.end_column - 1 if number == span.end_line else len(line)
            if start < end:
                yield start, end


@lru_cache(maxsize=4)
def _secret_spans(source: Source) -> list[Span]:
    """Mappings and lists are not hidden as a whole; their scalars are."""
    return [
        spans.value
        for path, spans in source.spans.items()
        if path[:1] in (("secrets",), ("models",))
        and not isinstance(value := _value(source.data, path), (dict, list))
        and is_secret(path, value)
    ]


def _value(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def _merge(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in ranges:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged

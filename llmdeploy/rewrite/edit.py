"""Editing an llm.yaml. Every byte that no edit speaks of stays, comments first of all.

No YAML library writes the file: what a library reads and writes again has its own padding, indentation and
line breaks, and loses the comments below a key that is removed. `source` knows where everything stands, so
the edits are spliced into the text. What comes out is read again and must say exactly what was meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct

from llmdeploy.diagnostics import Path, Place
from llmdeploy.rewrite import comments
from llmdeploy.rewrite.edits import Edit, applied, whole
from llmdeploy.rewrite.places import Places
from llmdeploy.rewrite.splice import spliced
from llmdeploy.source import Comment, Source, read


class Stuck(Struct, frozen=True):
    """An entry that cannot be edited."""

    entry: str
    line: int
    reason: str


class CannotEdit(Exception):  # noqa: N818  the reason is for the user
    """The file is written in a way that cannot be edited without touching something else."""

    def __init__(self, entries: Sequence[Stuck]) -> None:
        super().__init__("; ".join(f"`{each.entry}` (line {each.line}): {each.reason}" for each in entries))
        self.entries = tuple(entries)


def edited(source: Source, edits: Iterable[Edit]) -> str:
    """Return the text with the edits made. Raises CannotEdit; what is returned says exactly what was meant."""
    edits = list(edits)
    text = _made(source, edits)
    if text is None:
        raise CannotEdit(list(_stuck(source, edits)))
    return text


def comments_gone(source: Source, edits: Iterable[Edit]) -> list[Comment]:
    """Return the comments that go with the entries that they speak of."""
    return comments.gone(Places(source), whole(source.data, edits))


def _made(source: Source, edits: Iterable[Edit]) -> str | None:
    """Return the text with the edits made; None where it does not say what was meant."""
    edits = whole(source.data, edits)
    text = spliced(source, edits) if edits else source.text
    again, problems = read(text, source.file)
    left = Counter(comment.text.rstrip() for comment in source.comments)
    left.subtract(comment.text.rstrip() for comment in comments.gone(Places(source), edits))
    kept = Counter(comment.text.rstrip() for comment in again.comments)
    return text if not problems and again.data == applied(source.data, edits) and kept == +left else None


def _stuck(source: Source, edits: Sequence[Edit]) -> Iterator[Stuck]:
    """Yield the entries that stand in the way: those that could not be edited if they were alone."""
    alone = [edit for edit in edits if _made(source, [edit]) is None]
    for edit in alone or edits[:1]:
        entry = ".".join(map(str, edit.path))
        yield Stuck(entry, source.locate(edit.path, Place.KEY).line, _reason(source, edit.path))


def _reason(source: Source, path: Path) -> str:
    other = _shared_with(source, path)
    if other is not None:
        return f"it is shared with `{'.'.join(map(str, other))}` (`&`, `*`)"
    span = source.spans[path].value if path in source.spans else None
    if span is not None and span.end_line > span.line:
        return "its value is written over several lines"
    return "what stands beside it would change, too"


def _shared_with(source: Source, path: Path) -> Path | None:
    """Return another entry whose value, or the value of what is around it, is the same piece of text."""
    for length in range(1, len(path) + 1):
        mine = source.spans.get(path[:length])
        for other, spans in source.spans.items():
            if mine and other != path[:length] and spans.value == mine.value and _is_written(spans.value):
                return other
    return None


def _is_written(span: tuple[int, int, int, int]) -> bool:
    return span[:2] != span[2:]

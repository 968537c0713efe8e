"""Where the entries of an llm.yaml stand in its text."""

from __future__ import annotations

import re
from typing import Any

from llmdeploy.diagnostics import Path
from llmdeploy.emit.yaml import inline
from llmdeploy.rewrite.edits import value_at
from llmdeploy.source import Comment, Source, Span

# Those that libyaml counts.
BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_FLOW = re.compile(r"(&\S+\s+)?\{")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_RELEASE = re.compile(r"[0-9]+(\.[0-9]+){2,}")


class Places:
    """Offsets into the text, by path."""

    def __init__(self, source: Source) -> None:
        self.source, self.text = source, source.text
        self._starts = [0, *(found.end() for found in BREAK.finditer(source.text))]
        first = BREAK.search(source.text)
        self.newline = first.group() if first else "\n"
        self._comments = {comment.line: comment for comment in source.comments}

    def keys(self, path: Path) -> list[str]:
        data = value_at(self.source.data, path)
        return list(data) if isinstance(data, dict) else []

    def key(self, path: Path) -> tuple[int, int]:
        return self._range(self._key(path))

    def value(self, path: Path) -> tuple[int, int]:
        return self._range(self.source.spans[path].value)

    def is_flow(self, path: Path) -> bool:
        """Tell whether a mapping is written in braces."""
        return _FLOW.match(self.text, self.value(path)[0]) is not None

    def column(self, path: Path) -> int:
        return self._key(path).column

    def indent(self, path: Path) -> str:
        return " " * (self.column(path) - 1)

    def comment_line(self, number: int) -> Comment | None:
        """Return the comment of a line that has nothing else."""
        comment = self._comments.get(number)
        return (
            comment if comment and not self.source.lines[number - 1][: comment.column - 1].strip() else None
        )

    def line(self, number: int) -> int:
        """Return where a line begins; the end of the text for the line behind the last."""
        return self._starts[number - 1] if number <= len(self._starts) else len(self.text)

    def lines(self, path: Path) -> tuple[int, int]:
        """Return the first and the last line of an entry."""
        return self._key(path).line, self._last(path)

    def spelled(self, path: Path, name: str) -> str:
        """Return a key in the quotes that all keys beside it have, as in JSON."""
        quotes = {self.text[self.key((*path[:-1], key))[0]] for key in self.keys(path[:-1])}
        quote = quotes.pop() if len(quotes) == 1 else ""
        return f"{quote}{name}{quote}" if quote in ("'", '"') else name

    def scalar(self, path: Path, value: Any) -> str:
        """Return a value as it may stand where another stands, in its quotes."""
        start = self.value(path)[0]
        quote = self.text[start : start + 1]
        if isinstance(value, str) and quote in ("'", '"') and _WORD.fullmatch(value):
            return quote + value + quote
        if isinstance(value, str) and quote.isdigit() and _RELEASE.fullmatch(value):
            return value  # as the other release was, without quotes
        return inline("x", value).removeprefix("x: ")

    def _last(self, path: Path) -> int:
        """A block ends, for libyaml, where the next token begins; so it is asked for its last entry."""
        data, span = value_at(self.source.data, path), self.source.spans[path].value
        if isinstance(data, dict) and data and not self.is_flow(path):
            return max(self._last((*path, key)) for key in data)
        if span[:2] == span[2:]:
            return self._key(path).line
        last = span.end_line - (span.end_column == 1)
        while last > span.line and not self.source.lines[last - 1].strip():
            last -= 1
        return last

    def _key(self, path: Path) -> Span:
        key = self.source.spans[path].key
        assert key is not None
        return key

    def _range(self, span: Span) -> tuple[int, int]:
        return self.line(span.line) + span.column - 1, self.line(span.end_line) + span.end_column - 1

"""YAML text -> plain data, and where each key and value stands.

Everything that llm.yaml does not use (tags, merge keys, several documents) is refused here, and every
bound that keeps a hostile file cheap is kept here: its size, its depth, and how far its aliases expand.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import yaml
from msgspec import Struct
from msgspec.structs import replace

from llmdeploy import yaml_nodes
from llmdeploy.diagnostics.model import Diagnostic, Note, Path, Place
from llmdeploy.numbers import PlainFloat, PlainInt, PlainNumber, plain_scalar

__all__ = ["Comment", "PlainFloat", "PlainInt", "PlainNumber", "Source", "Span", "Spans", "read"]

MAX_BYTES = 1 << 20
MAX_NODES = 100_000

_NOT_ASCII_TEXT = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
_NOT_TEXT = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufeff\ufffe\uffff]"
_LINE_BREAK = "\r\n|[\n\r\x85\u2028\u2029]"  # YAML 1.1's, for these are what libyaml counts
_HASH = re.compile(r"(?<!\S)#[^\n\r\x85\u2028\u2029]*")


class Span(NamedTuple):
    """From a character to the one after the last; lines and columns count from 1."""

    line: int
    column: int
    end_line: int
    end_column: int


class Spans(NamedTuple):
    key: Span | None
    value: Span


class Comment(NamedTuple):
    line: int
    column: int
    text: str


class Source(Struct, frozen=True, eq=False):
    """One file as read. `data` is empty where the text could not be read."""

    file: str
    text: str
    lines: tuple[str, ...]
    data: dict[str, Any] = {}
    spans: Mapping[Path, Spans] = {}
    comments: tuple[Comment, ...] = ()

    def locate(self, path: Path, place: Place = Place.VALUE) -> Span:
        """Return where `path` stands; for an absent one, the key of the nearest mapping that is there.

        Below a single value nothing can stand: that value is then the short form of what is asked for (`gpus: 2`).
        """
        spans, asked = self.spans.get(path), path
        while spans is None and path:
            path = path[:-1]
            spans = self.spans.get(path)
        if path != asked and not self._is_single(path):
            place = Place.KEY
        if spans is None or not path:
            return Span(1, 1, 1, 1)
        key, value = spans
        empty = value[:2] == value[2:]
        # A block below its key is shown by the key: that is the line one looks for.
        return key if key and (place is Place.KEY or empty or value.line > key.line) else value

    def _is_single(self, path: Path) -> bool:
        value: Any = self.data
        for step in path:
            value = value[step]
        return not isinstance(value, (dict, list, type(None)))


def read(text: str, file: str = "llm.yaml") -> tuple[Source, list[Diagnostic]]:
    """Read `text`. The source is returned in any case, for the diagnostics to be shown with."""
    text = text.removeprefix("\ufeff")
    source = Source(file, text, tuple(re.split(_LINE_BREAK, text)))
    refused = _refuse_text(source)
    if refused:
        return source, [refused]
    try:
        root = yaml_nodes.compose(text)
    except yaml_nodes.Refused as refusal:
        return source, [refusal.diagnostic]
    if root is None or not isinstance(root, yaml.MappingNode):
        return source, [_not_a_mapping(root)]
    walk = _Walk()
    try:
        data = walk.mapping(root, ())
    except yaml_nodes.Refused as refusal:
        return source, [refusal.diagnostic]
    walk.spans[()] = Spans(None, _span(root))
    comments = tuple(_comments(text, source.lines, walk.opaque))
    return replace(source, data=data, spans=walk.spans, comments=comments), walk.problems


def _refuse_text(source: Source) -> Diagnostic | None:
    if len(source.text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        return Diagnostic(
            "LD004", "the file is larger than 1 MiB", help="an llm.yaml of a thousand models is smaller"
        )
    found = _no_text(source.text)
    if found is None:
        return None
    before = re.split(_LINE_BREAK, source.text[: found.start()])
    return Diagnostic(
        "LD002",
        f"the character U+{ord(found.group()):04X} cannot stand in YAML",
        help="remove it, and save the file as UTF-8",
        line=len(before),
        column=len(before[-1]) + 1,
    )


def _no_text(text: str) -> re.Match[str] | None:
    """Find a character that is no text; most files are ASCII, and the wider class takes its time to be compiled."""
    return re.search(_NOT_ASCII_TEXT if text.isascii() else _NOT_TEXT, text)


def _not_a_mapping(root: yaml.Node | None) -> Diagnostic:
    help = "begin with `version: 1`, or let `llmdeploy init` write a file to start from"
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value and not root.style):
        return Diagnostic("LD006", "the file is empty", help=help)
    what = "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
    span = _span(root)
    return Diagnostic(
        "LD006", f"the file is {what}, not a mapping", help=help, line=span.line, column=span.column
    )


class _Walk:
    """Turns nodes into data. Aliases are expanded, hence the bounds: what is seen often is paid for often."""

    def __init__(self) -> None:
        self.problems: list[Diagnostic] = []
        self.spans: dict[Path, Spans] = {}
        self.opaque: list[tuple[int, int]] = []
        self.weight = 0

    def value(self, node: yaml.Node, path: Path, key: Span | None = None) -> Any:
        self.weight += 1 + len(node.value) // 64
        if self.weight > MAX_NODES:
            raise yaml_nodes.too_large(
                node.start_mark, f"it comes to more than {MAX_NODES} values, aliases expanded"
            )
        if len(path) > yaml_nodes.MAX_DEPTH:
            raise yaml_nodes.too_large(node.start_mark, "an alias stands inside its own anchor")
        self.spans[path] = Spans(key, _span(node))
        if node.tag:
            self._refuse(node, path, f"the tag `{node.tag}` has no meaning here", "leave the tag out")
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(cast(yaml.ScalarNode, node), path)

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node, path)
            if key is None:
                continue
            span = _span(key_node)
            if key in data:
                self._duplicate(key, span, path)
            else:
                data[key] = self.value(value_node, (*path, key), span)
        return data

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        if node.style:
            self.opaque.append((node.start_mark.index, node.end_mark.index))
            self._refuse_escaped(node, path)
            return node.value
        try:
            return plain_scalar(node.value)
        except ValueError:
            self.problems.append(
                Diagnostic(
                    "LD105", f"a number of {len(node.value)} characters", path, "put quotes around text"
                )
            )
            return node.value

    def _refuse_escaped(self, node: yaml.ScalarNode, path: Path) -> None:
        """Refuse what no argument can hold (NUL), and what kubectl cannot read back in any spelling."""
        # The last one YAML takes, and kubectl makes a space of it.
        if found := _no_text(node.value) or re.search("\x85", node.value):
            message = f"the character U+{ord(found.group()):04X} cannot be passed on"
            self.problems.append(Diagnostic("LD105", message, path, help="remove it"))

    def _key(self, node: yaml.Node, path: Path) -> str | None:
        """Return the text of a key, or None for one that is refused."""
        if not isinstance(node, yaml.ScalarNode) or node.tag:
            self._refuse(node, path, "a key must be plain text", "write `key: value`")
            return None
        key = self._scalar(node, path)
        if key == "<<" and not node.style:
            self._refuse(
                node, path, "merge keys (`<<`) are not supported", "repeat the keys, or alias a whole value"
            )
            return None
        if not isinstance(key, str):
            written = node.value or "null"
            self._refuse(
                node, path, f"the key `{written}` is not text", f'put quotes around it: `"{node.value}"`'
            )
            return None
        return key

    def _duplicate(self, key: str, span: Span, path: Path) -> None:
        first = Note(f"`{key}` is first given here", (*path, key))
        help = "keep one of the two"
        self.problems.append(
            Diagnostic(
                "LD003",
                f"`{key}` is given twice",
                (*path, key),
                help,
                (first,),
                Place.KEY,
                span.line,
                span.column,
            )
        )

    def _refuse(self, node: yaml.Node, path: Path, message: str, help: str) -> None:
        mark = node.start_mark
        self.problems.append(
            Diagnostic("LD005", message, path, help, line=mark.line + 1, column=mark.column + 1)
        )


def _span(node: yaml.Node) -> Span:
    start, end = node.start_mark, node.end_mark
    return Span(start.line + 1, start.column + 1, end.line + 1, end.column + 1)


def _comments(text: str, lines: tuple[str, ...], opaque: list[tuple[int, int]]) -> list[Comment]:
    """Find the comments: each `#` after white space that is not inside a quoted or block scalar."""
    opaque.sort()
    starts = [start for start, _ in opaque]
    found, at = [], 0
    line_starts = [0, *(m.end() for m in re.finditer(_LINE_BREAK, text))]
    while match := _HASH.search(text, at):
        begin = match.start()
        around = bisect_right(starts, begin) - 1
        if around >= 0 and begin < opaque[around][1]:
            at = begin + 1
            continue
        line = bisect_right(line_starts, begin)
        found.append(Comment(line, begin - line_starts[line - 1] + 1, match.group()))
        at = match.end()
    return found

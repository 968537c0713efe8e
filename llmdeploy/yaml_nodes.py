"""PyYAML's nodes of one document, within bounds; what libyaml says about broken text, in words for people."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from yaml.composer import Composer, ComposerError
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

from llmdeploy.diagnostics.model import Diagnostic, Note

MAX_DEPTH = 60
_DEEP = f"it nests deeper than {MAX_DEPTH} levels"


class Refused(Exception):  # noqa: N818  it never leaves the reader
    """Reading stops here."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic


def too_large(mark: yaml.Mark | None, why: str) -> Refused:
    line, column = _place(mark)
    return Refused(Diagnostic("LD004", f"the file cannot be read: {why}", line=line, column=column))


def _place(mark: yaml.Mark | None) -> tuple[int | None, int | None]:
    return (mark.line + 1, mark.column + 1) if mark else (None, None)


class _Bounded:
    """Stands in for PyYAML's resolver: leaves every implicit tag empty, and counts the depth.

    The composers of PyYAML recurse, the one in C without any limit; both call these three methods.
    """

    depth = 0

    def descend_resolver(self, parent: yaml.Node | None, index: Any) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise too_large(parent.start_mark if parent else None, _DEEP)

    def ascend_resolver(self) -> None:
        self.depth -= 1

    def resolve(self, kind: type[yaml.Node], value: str | None, implicit: Any) -> str:
        return ""


class _PureLoader(_Bounded, Reader, Scanner, Parser, Composer):
    def __init__(self, stream: str) -> None:
        Reader.__init__(self, stream)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)

    def dispose(self) -> None:
        pass


if TYPE_CHECKING or not yaml.__with_libyaml__:
    _Loader = _PureLoader
else:
    from yaml.cyaml import CParser

    class _Loader(_Bounded, CParser):
        pass


def compose(text: str) -> yaml.Node | None:
    """Return the root node of the only document in `text`, or None for an empty one."""
    loader = _Loader(text)
    try:
        return loader.get_single_node()
    except ComposerError as error:
        if "single document" in str(error.context):
            raise Refused(_several(error)) from None
        raise Refused(_explain(error, text)) from None
    except yaml.MarkedYAMLError as error:
        # libyaml has a limit of its own, which its parser may reach before a node is composed (PyYAML 6.0.4 on).
        if "nesting depth" in str(error.problem):
            raise too_large(error.problem_mark, _DEEP) from None
        raise Refused(_explain(error, text)) from None
    except yaml.YAMLError as error:
        raise Refused(Diagnostic("LD002", f"the file is not YAML: {_one_line(error)}")) from None
    finally:
        loader.dispose()


def _several(error: yaml.MarkedYAMLError) -> Diagnostic:
    line, column = _place(error.problem_mark)
    help = "remove what follows the second `---`"
    return Diagnostic("LD005", "the file holds more than one document", help=help, line=line, column=column)


# (what PyYAML or libyaml say, what is meant, what to write)
_WORDS: list[tuple[str, str, str]] = [
    (r"tab character|cannot start any token.*\t", "a tab cannot indent YAML", "indent with spaces"),
    (
        r"cannot start any token",
        "a value cannot begin with this character",
        "put quotes around the value",
    ),
    (
        r"mapping values are not allowed",
        "a second `: ` on one line, or a key at the wrong indentation",
        "put quotes around a value that contains `: `, and align keys of one mapping",
    ),
    (
        r"expected ',' or|expected ',' or '}'",
        "a `,` or the closing bracket is missing",
        "close every `{` with `}` and every `[` with `]`",
    ),
    (r"unexpected end of stream", "a quote is never closed", "close it, or leave both quotes out"),
    (r"could not find expected ':'", "a key without `:`", "write `key: value`"),
    (
        r"expected key|expected <block end>|expected '-' indicator|block sequence entries",
        "this line does not fit the lines above",
        "align the keys of one mapping, and the `-` of one list",
    ),
    (
        r"undefined alias",
        "`*` refers to an anchor that is not there",
        "put quotes around text that begins with `*`",
    ),
    (
        r"unknown escape",
        "an unknown escape in a quoted text",
        r"write `\\` for one backslash, or use single quotes",
    ),
    (
        r"expected alphabetic or numeric",
        "`&` and `*` begin anchors and aliases",
        "put quotes around the value",
    ),
    (
        r"expected node content|expected the node content",
        "a value is missing",
        "write the value, or remove the `,`",
    ),
]


def _explain(error: yaml.MarkedYAMLError, text: str) -> Diagnostic:
    mark = error.problem_mark or error.context_mark
    said = error.problem or error.context or "unknown error"
    if error.context_mark and mark and mark.index >= len(text.rstrip()):
        mark = error.context_mark  # what is never closed is better shown where it was opened
    at = text[mark.index : mark.index + 1] if mark else ""
    message, help = f"the file is not YAML: {said}", None
    for pattern, words, advice in _WORDS:
        if re.search(pattern, said + at):
            message, help = f"the file is not YAML: {words}", advice
            break
    notes: tuple[Note, ...] = ()
    begun = error.context_mark
    if begun and mark and begun.line != mark.line and error.context:
        notes = (Note(f"{error.context}, which begins on line {begun.line + 1}"),)
    line, column = _place(mark)
    return Diagnostic("LD002", message, help=help, notes=notes, line=line, column=column)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())

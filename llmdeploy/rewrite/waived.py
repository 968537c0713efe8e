"""Waivers that an edit leaves without use: of what the old engine was warned of, and the new one is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from llmdeploy.compiler import Result
from llmdeploy.diagnostics import Place, waivers
from llmdeploy.rewrite.places import Places
from llmdeploy.rewrite.report import Rewrite
from llmdeploy.source import Comment, Source

_IDLE = re.compile(r"nothing on this line gives `(\w+)`")


def without_idle(before: Result, after: Result, rewrites: Sequence[Rewrite]) -> str:
    """Return the text of `after` without the waivers that were of use before."""
    useless = {(comment.text, code) for comment, code in _idle(before)}
    found = [each for each in _idle(after) if (each[0].text, each[1]) not in useless]
    found += _lifted(after.source, rewrites)
    places, text = Places(after.source), after.source.text
    for comment in sorted({comment for comment, _ in found}, reverse=True):
        start = places.line(comment.line) + comment.column - 1
        head, rest = text[:start], text[start + len(comment.text) :]
        left = comment.text
        for code in sorted({code for other, code in found if other == comment}):
            left = waivers.less(left, code)
        text = head + left + rest if left else head.rstrip(" \t") + rest
    return text


def _idle(result: Result) -> Iterator[tuple[Comment, str]]:
    """Yield each waiver that the compiler found to be of no use, with the code."""
    for finding in result.diagnostics:
        code = _IDLE.fullmatch(finding.message) if finding.code == "LD511" else None
        for comment in result.source.comments if code else ():
            if (comment.line, comment.column) == (finding.line, finding.column):
                yield comment, code[1]  # type: ignore[index]  # there are no comments without


def _lifted(source: Source, rewrites: Sequence[Rewrite]) -> Iterator[tuple[Comment, str]]:
    """Yield those on the engine's line, or on the model's: the compiler is silent of them beside an error."""
    for rewrite in rewrites:
        paths = (("models", rewrite.model, "engine"), ("models", rewrite.model))
        lines = {source.locate(path, Place.KEY).line for path in paths}
        for comment in source.comments:
            for code in rewrite.lifted:
                if comment.line in lines and waivers.names(comment.text, code):
                    yield comment, code

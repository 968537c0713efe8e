"""Editing an llm.yaml. Every byte that no edit speaks of stays, comments first of all.

No YAML library writes the file: what a library reads and writes again has its own padding, indentation and
line breaks, and loses the comments below a key that is removed. `source` knows where everything stands, so
the edits are spliced into the text. What comes out is read again and must say exactly what was meant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from llmdeploy.rewrite.edits import Edit, applied, whole
from llmdeploy.rewrite.splice import spliced
from llmdeploy.source import Source, read


class CannotEdit(Exception):  # noqa: N818  the reason is for the user
    """The file is written in a way that cannot be edited without touching something else."""


def edited(source: Source, edits: Iterable[Edit]) -> str:
    """Return the text with the edits made. Raises CannotEdit; what is returned says exactly what was meant."""
    edits = whole(source.data, edits)
    text = spliced(source, edits) if edits else source.text
    again, problems = read(text, source.file)
    if problems or again.data != applied(source.data, edits) or _comments(again) != _comments(source):
        raise CannotEdit("an entry to be changed is shared (`&`, `*`), or written over several lines")
    return text


def _comments(source: Source) -> Counter[str]:
    return Counter(comment.text.rstrip() for comment in source.comments)

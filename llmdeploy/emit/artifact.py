"""A file to be written, before anything is written."""

from __future__ import annotations

from msgspec import Struct


class Artifact(Struct, frozen=True):
    """`path` is relative to the output root, with `/`; `text` ends with a newline."""

    path: str
    text: str
    executable: bool = False

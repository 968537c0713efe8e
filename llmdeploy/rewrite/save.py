"""Replacing an llm.yaml: whole or not at all, in its own mode."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_BOM = b"\xef\xbb\xbf"


def save(path: Path, text: str) -> None:
    """Write `text` to a file that is there. Raises OSError, and then nothing has changed."""
    place = path.resolve()
    if not os.access(place, os.W_OK):
        raise PermissionError(13, "it is read-only", str(path))
    content = text.encode()
    if place.read_bytes().startswith(_BOM):
        content = _BOM + content
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        shutil.copymode(place, name)
        Path(name).replace(place)
    except BaseException:
        Path(name).unlink()
        raise

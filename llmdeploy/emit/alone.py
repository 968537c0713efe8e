"""Writes one file that belongs to no output directory, such as a page, and never over somebody's own.

There is no manifest beside it, so its last line says what the rest was when we wrote it.
"""

from __future__ import annotations

from pathlib import Path

from llmdeploy.emit.artifact import Artifact
from llmdeploy.emit.hashes import short
from llmdeploy.emit.write import WriteError, stage

_MARK = "<!-- made by llmdeploy, {} -->\n"


def marked(text: str) -> str:
    """Return HTML with the line by which it is known again."""
    return text + _MARK.format(short(text))


def write_alone(path: Path, text: str, *, force: bool = False) -> None:
    """Replace the HTML file as a whole. Raises WriteError, and then nothing has changed."""
    place = path.resolve()
    if not place.parent.is_dir():
        raise WriteError(
            "LD902",
            f"cannot write {path}: there is no directory {path.parent}",
            f"make it (`mkdir -p {path.parent}`), or name a file in one that is there",
        )
    if place.exists() and not place.is_file():
        what = "is a directory" if place.is_dir() else "is not a file"
        raise WriteError(
            "LD902", f"cannot write {path}: it {what}", "name a file, or `-` for standard output"
        )
    try:
        if not force and place.exists() and not _is_ours(place.read_bytes()):
            raise WriteError(
                "LD901",
                f"{path} was edited by hand, or not made by llmdeploy",
                "name another file, or overwrite it with `--force`",
            )
        stage(place, Artifact(place.name, marked(text))).replace(place)
    except OSError as error:
        raise WriteError(
            "LD902",
            f"cannot write {path}: {error.strerror or error}",
            "see that there is space and leave to write, or name another file",
        ) from error


def _is_ours(content: bytes) -> bool:
    text = content.decode("utf-8", "replace")
    body, newline, _ = text.removesuffix("\n").rpartition("\n")
    return text == marked(body + newline)

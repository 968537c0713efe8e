"""llmdeploy.calibration.yaml beside an llm.yaml: one more correction in it, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from llmdeploy.calibration.corrections import kept
from llmdeploy.facts import calibration
from llmdeploy.facts.gather import CALIBRATION
from llmdeploy.memory.corrections import Correction


class CannotKeep(Exception):  # noqa: N818  a reason, read as "cannot keep: …"
    """The file is not as it should be, or cannot be written; nothing has changed."""


def keep(directory: Path, new: Correction) -> Path:
    """Add a correction to the file of this directory, or replace the one of the same kind of start."""
    place = (directory / CALIBRATION).resolve()
    try:
        text = place.read_text(encoding="utf-8") if place.exists() else None
        before, fault = ((), None) if text is None else calibration.parse(text, CALIBRATION)
        if fault is not None:
            raise CannotKeep(f"{CALIBRATION}, line {fault.line}: {fault.message}; mend it, or remove it")
        text = calibration.text(kept(before, new))
        _, fault = calibration.parse(text, CALIBRATION)
        if fault is not None:
            raise CannotKeep(f"what would be written could not be read again: {fault.message}")
        _write(place, text)
    except UnicodeDecodeError:
        raise CannotKeep(f"{CALIBRATION} is not UTF-8 text; remove it") from None
    except OSError as error:
        raise CannotKeep(f"{CALIBRATION} cannot be written: {error.strerror}") from None
    return directory / CALIBRATION


def _write(place: Path, text: str) -> None:
    mode = place.stat().st_mode & 0o777 if place.exists() else 0o644
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).chmod(mode)
        Path(name).replace(place)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

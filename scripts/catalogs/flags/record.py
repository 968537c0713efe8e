"""One flag as it is kept: nothing that is empty, and of its help the first sentence."""

from __future__ import annotations

import re
from typing import Any

Record = dict[str, Any]


def compact(row: Record) -> Record:
    """Leave out what says nothing. Of defaults `false`, `0` and "" do say something."""
    return {key: value for key, value in row.items() if value or (key == "default" and value is not None)}


def first_sentence(text: str) -> str:
    flat = " ".join(text.split())
    sentence = re.split(r"(?<=[a-z0-9)`'\"]\.)\s+(?=[A-Z`'\"\[-])", flat, maxsplit=1)[0]
    return sentence if len(sentence) <= 300 else sentence[:299].rsplit(" ", 1)[0] + "…"

"""The compiled JSON beside this file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def rows(name: str) -> Any:
    """The content of NAME.json. Callers cache what they make of it."""
    return json.loads(Path(__file__).with_name(f"{name}.json").read_bytes())

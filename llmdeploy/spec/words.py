"""How values and places of llm.yaml are called in a sentence."""

from __future__ import annotations

from typing import Any

from llmdeploy.diagnostics import Path
from llmdeploy.numbers import PlainNumber

LONGEST = 60


def subject(path: Path) -> str:
    """Return a path for people: `models.chat.gpus`, `routes[0].path`."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def describe(value: Any) -> str:
    """Return a value as it was written, with its type: `the text "yes"`, `the boolean true`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return f"the boolean `{str(value).lower()}`"
    if isinstance(value, (int, float)):
        return f"the number `{_short(value.text if isinstance(value, PlainNumber) else str(value))}`"
    if isinstance(value, str):
        return f'the text "{_short(value)}"'
    return "a list" if isinstance(value, list) else "a mapping"


def flow(value: Any) -> str:
    """Return a value of plain data as one line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    return str(value)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"

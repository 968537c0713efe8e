"""Compose reads `$` as the start of a variable; here is where none is meant."""

from __future__ import annotations

from typing import Any


class Reference(str):
    """Text whose `${…}` Compose shall fill in."""

    __slots__ = ()


def escape(node: Any) -> Any:
    """Return the document with `$$` for each `$` that is no Reference's. Compose leaves keys as they are."""
    match node:
        case Reference():
            return str(node)
        case str():
            return node.replace("$", "$$")
        case dict():
            return {key: escape(value) for key, value in node.items()}
        case list():
            return [escape(value) for value in node]
        case _:
            return node

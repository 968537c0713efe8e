"""The only YAML writer.

A reader may hold to YAML 1.1 (Helm, Compose in places) or 1.2 and types plain scalars differently: `y`,
`1e3`, `012`, `12:30`. So a string is left plain only where every reader takes it for text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_TAG = "tag:yaml.org,2002:"

# Begins with a letter, `_` or `/`, so that no number, date or indicator can be meant.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@-]*(?::[A-Za-z0-9_./@-]+)*")
_WORDS = re.compile(r"(?:y|n|yes|no|on|off|true|false|null|nan|inf|infinity)", re.IGNORECASE)


def dump(document: Any) -> str:
    """Return one document, keys in the order given.

    Raises TypeError for anything but dicts, lists, tuples, text, numbers, booleans and None. Nodes are built
    here and not by PyYAML's representers, which take twice as long for the same nodes.
    """
    text: str = yaml.serialize(_node(document), Dumper=_Dumper, allow_unicode=False, width=2**31 - 1)
    return text


def dump_all(documents: Iterable[Any]) -> str:
    return "---\n".join(dump(document) for document in documents)


def inline(key: str, value: Any) -> str:
    """Return `key: value` on one line, to be put among the entries of a file that somebody else wrote."""
    node = MappingNode(f"{_TAG}map", [(_node(key), _flowing(_node(value)))], flow_style=False)
    text: str = yaml.serialize(node, Dumper=_Dumper, allow_unicode=True, width=2**31 - 1)
    return text.removesuffix("\n")


def _flowing(node: Node) -> Node:
    if isinstance(node, ScalarNode) and node.style == "|":
        node.style = '"'
    if isinstance(node, MappingNode | SequenceNode):
        node.flow_style = True
        for child in node.value:
            for each in child if isinstance(child, tuple) else (child,):
                _flowing(each)
    return node


def _node(value: Any) -> Node:
    """Return the node of a value. No node is used twice, so that no alias is ever written."""
    if isinstance(value, str):
        return ScalarNode(f"{_TAG}str", value, style=_style(value))
    if isinstance(value, dict):
        pairs = [(_node(key), _node(item)) for key, item in value.items()]
        return MappingNode(f"{_TAG}map", pairs, flow_style=not pairs)
    if isinstance(value, bool):
        return ScalarNode(f"{_TAG}bool", "true" if value else "false")
    if isinstance(value, int):
        return ScalarNode(f"{_TAG}int", int.__repr__(value))
    if isinstance(value, float):
        # Go's readers take `1e-05` for a number and PyYAML for text; plain decimals are read alike.
        return ScalarNode(f"{_TAG}float", format(Decimal(repr(float(value))), "f"))
    if value is None:
        return ScalarNode(f"{_TAG}null", "null")
    if isinstance(value, (list, tuple)):
        items = [_node(item) for item in value]
        return SequenceNode(f"{_TAG}seq", items, flow_style=not items)
    raise TypeError(f"no YAML for {type(value).__name__}")


@lru_cache(maxsize=4096)
def _style(text: str) -> str | None:
    """Return the style that every reader takes for this text: plain, a block, or double quotes."""
    if _PLAIN.fullmatch(text) and not _WORDS.fullmatch(text):
        return None
    return "|" if "\n" in text and _is_block(text) else '"'


def _is_block(value: str) -> bool:
    # Where a block scalar could lose anything (outer or trailing spaces, tabs, control characters), quote instead.
    lines = value.split("\n")
    return (
        value.isascii()
        and not value.startswith((" ", "\n"))
        and all(line == line.rstrip() and line.isprintable() for line in lines)
    )

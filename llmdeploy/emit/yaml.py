"""The only YAML writer.

A reader may hold to YAML 1.1 (Helm, Compose in places) or 1.2 and types plain scalars differently: `y`,
`1e3`, `012`, `12:30`. So a string is left plain only where every reader takes it for text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import yaml

_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

# Begins with a letter, `_` or `/`, so that no number, date or indicator can be meant.
_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./@-]*(?::[A-Za-z0-9_./@-]+)*")
_WORDS = re.compile(r"(?:y|n|yes|no|on|off|true|false|null|nan|inf|infinity)", re.IGNORECASE)


class _Writer(_Dumper):  # type: ignore[misc]
    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(writer: Any, value: str) -> yaml.ScalarNode:
    if _PLAIN.fullmatch(value) and not _WORDS.fullmatch(value):
        return yaml.ScalarNode("tag:yaml.org,2002:str", value)
    if "\n" in value and _is_block(value):
        return yaml.ScalarNode("tag:yaml.org,2002:str", value, style="|")
    return yaml.ScalarNode("tag:yaml.org,2002:str", value, style='"')


def _is_block(value: str) -> bool:
    # Where a block scalar could lose anything (outer or trailing spaces, tabs, control characters), quote instead.
    lines = value.split("\n")
    return (
        value.isascii()
        and not value.startswith((" ", "\n"))
        and all(line == line.rstrip() and line.isprintable() for line in lines)
    )


def _number(writer: Any, value: float) -> yaml.ScalarNode:
    # Go's readers take `1e-05` for a number and PyYAML for text; plain decimals are read alike.
    return yaml.ScalarNode("tag:yaml.org,2002:float", format(Decimal(repr(float(value))), "f"))


_Writer.add_representer(str, _text)
_Writer.add_representer(float, _number)
_Writer.add_representer(tuple, lambda writer, value: writer.represent_list(value))


def dump(document: Any) -> str:
    """Return one document, keys in the order given."""
    text: str = yaml.dump(
        document,
        Dumper=_Writer,
        sort_keys=False,
        allow_unicode=False,
        default_flow_style=False,
        width=2**31 - 1,
    )
    return text


def dump_all(documents: Iterable[Any]) -> str:
    return "---\n".join(dump(document) for document in documents)

"""Kubernetes objects from their YAML, as Go reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml


class _Loader(yaml.CSafeLoader):
    """Reads what Go has written, to whom the values `=` and `<<` are text."""


for _tag in ("value", "merge"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", lambda loader, node: node.value)


def documents(text: str) -> Iterator[dict[str, Any]]:
    return (each for each in yaml.load_all(text, _Loader) if each)

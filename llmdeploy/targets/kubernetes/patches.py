"""`patches`: parts of objects that are merged into what was made. The chart does the same in `_patch.tpl`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from llmdeploy.spec.targets import Patch
from llmdeploy.targets.kubernetes.meta import Object


def as_data(patch: Patch) -> dict[str, Any]:
    """Return a patch as plain data: numbers of llm.yaml remember how they were written; no writer knows them."""
    name = {"name": patch.name} if patch.name else {}
    data: dict[str, Any] = json.loads(json.dumps({"kind": patch.kind, **name, "patch": patch.patch}))
    return data


def matches(item: Object, patch: Mapping[str, Any]) -> bool:
    return item["kind"] == patch["kind"] and patch.get("name") in (None, item["metadata"]["name"])


def patched(item: Object, patches: Sequence[Mapping[str, Any]]) -> Object:
    for patch in patches:
        if matches(item, patch):
            item = merge(item, patch["patch"])
    return item


def merge(base: Any, patch: Any) -> Any:
    """Merge maps by key and lists of named maps by name; anything else replaces."""
    if isinstance(base, dict) and isinstance(patch, dict):
        return base | {key: merge(base[key], value) if key in base else value for key, value in patch.items()}
    if _named(base) and _named(patch):
        return _merge_lists(base, patch)
    return patch


def _named(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) and "name" in v for v in value)


def _merge_lists(base: list[Any], patch: list[Any]) -> list[Any]:
    by_name = {item["name"]: item for item in base}
    for item in patch:
        name = item["name"]
        by_name[name] = merge(by_name[name], item) if name in by_name else item
    return list(by_name.values())

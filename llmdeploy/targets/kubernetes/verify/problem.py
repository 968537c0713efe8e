"""A finding about one object, and the way through one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Struct

Object = Mapping[str, Any]
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """`object` is "Deployment/name"; `path` leads to the field; positions in lists are decimal text."""

    object: str
    path: Path
    message: str


def title(item: Object) -> str:
    return f"{item.get('kind')}/{(item.get('metadata') or {}).get('name')}"


class Pod(Struct, frozen=True):
    """A Pod, or the template of one, and where it stands."""

    owner: Object
    path: Path
    labels: Mapping[str, str]
    spec: Object

    def problem(self, path: Path, message: str) -> Problem:
        return Problem(title(self.owner), (*self.path, *path), message)

    def containers(self) -> Iterator[tuple[Path, Object]]:
        for field in ("initContainers", "containers"):
            for index, container in enumerate(self.spec.get(field, [])):
                yield (field, str(index)), container


def pod_of(item: Object) -> Pod | None:
    if item.get("kind") == "Pod":
        return Pod(item, ("spec",), item["metadata"].get("labels", {}), item["spec"])
    template = item.get("spec", {}).get("template")
    if not isinstance(template, Mapping) or "spec" not in template:
        return None
    labels = template.get("metadata", {}).get("labels", {})
    return Pod(item, ("spec", "template", "spec"), labels, template["spec"])


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return bool(selector) and selector.items() <= labels.items()

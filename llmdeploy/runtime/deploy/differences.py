"""What an apply would change: read from kubectl's diff, or found between two sets of manifests."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from llmdeploy.emit.yaml import dump
from llmdeploy.runtime.deploy.model import Action, Change, Changes, Failed
from llmdeploy.targets.kubernetes.meta import Object

Key = tuple[str, str]

RESTARTS = "its Pods are replaced; the model loads anew"
# The whole of what is new or goes is no difference to read.
_READ = (Action.UPDATE, Action.RESTART)
GONE = "llm.yaml has it no more"
NOT_READY = "not ready yet"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# kubectl writes both versions into temporary folders (pkg/cmd/diff/diff.go), one file an object:
# [group.]version.Kind.namespace.name
_FILE = re.compile(r"^\+\+\+ .*?/MERGED-[^/]+/(\S+)", re.MULTILINE)
_NAME = re.compile(r"(?:.+?\.)?v\d\w*\.([A-Z]\w*)\.[^.]*\.(.+)")
_FOLDER = re.compile(r"\S*/((?:LIVE|MERGED)-\d+)/")
# Of a Deployment, only what its Pods are made from stands this deep, and how they are replaced.
_DEEP = re.compile(r"^[+-] {6,}(?!maxSurge|maxUnavailable)\S", re.MULTILINE)
_KEPT = "helm.sh/resource-policy"


def of_kubectl(diff: str) -> Changes:
    """Read what `kubectl diff` says."""
    items: list[Change] = []
    said: list[str] = []
    for name, text in _sections(diff):
        items.append(_change(name, text))
        if items[-1].action in _READ:
            said.append(_FOLDER.sub(r"\1/", text))
    # An external diff may say it in its own way.
    return Changes(items or [Change(Action.UPDATE, "objects", "kubectl finds differences")], "".join(said))


def _sections(diff: str) -> Iterator[tuple[str, str]]:
    found = list(_FILE.finditer(diff))
    starts = [_start(diff, each.start()) for each in found]
    for index, each in enumerate(found):
        yield each[1], diff[starts[index] : (*starts, len(diff))[index + 1]]


def _start(diff: str, added: int) -> int:
    """Return where the section of a file begins: with the line `diff`, if there is one, else with `---`."""
    before = diff.rfind("\n", 0, max(0, added - 1)) + 1
    command = diff.rfind("\n", 0, max(0, before - 1)) + 1
    return command if diff.startswith("diff ", command) else before


def _change(name: str, text: str) -> Change:
    found = _NAME.fullmatch(name)
    kind, what = (found[1], f"{found[1]} {found[2]}") if found else ("", name)
    if re.search(r"^@@ -0,0 ", text, re.MULTILINE):
        return Change(Action.CREATE, what)
    body = text.partition("\n@@ ")[2]
    if kind == "Deployment" and _DEEP.search(body):
        return Change(Action.RESTART, what, RESTARTS)
    return Change(Action.UPDATE, what)


def of_manifests(before: str, after: str) -> Changes:
    """Compare the objects of two manifests of helm, whatever they are written like."""
    old, new = _objects(before), _objects(after)
    items: list[Change] = []
    said: list[str] = []
    for key in (*new, *(key for key in old if key not in new)):
        change = _between(key, old.get(key), new.get(key))
        if change:
            items.append(change)
        if change and change.action in _READ:
            said += _unified(key, old.get(key), new.get(key))
    return Changes(items, "".join(said))


def objects_in(manifest: str, *, kept: bool = True) -> list[str]:
    """Return the objects, as `Deployment hybrid-chat`; without `kept` only those that go with a release."""
    return [" ".join(key) for key, item in _objects(manifest).items() if kept or not _is_kept(item)]


def _objects(manifest: str) -> dict[Key, Object]:
    try:
        documents = [each for each in yaml.load_all(manifest, Loader=_LOADER) if each]
        return {(each["kind"], each["metadata"]["name"]): each for each in documents}
    except (yaml.YAMLError, KeyError, TypeError) as error:
        raise Failed(f"helm shows objects that are not understood: {error}") from error


def _between(key: Key, old: Object | None, new: Object | None) -> Change | None:
    what = " ".join(key)
    if old is None:
        return Change(Action.CREATE, what)
    if new is None:
        return None if _is_kept(old) else Change(Action.REMOVE, what, GONE)
    if old == new:
        return None
    if key[0] == "Deployment" and old["spec"].get("template") != new["spec"].get("template"):
        return Change(Action.RESTART, what, RESTARTS)
    return Change(Action.UPDATE, what)


def _is_kept(item: Object) -> bool:
    return (item["metadata"].get("annotations") or {}).get(_KEPT) == "keep"


def _unified(key: Key, old: Object | None, new: Object | None) -> Iterator[str]:
    name = "/".join(key)
    yield from difflib.unified_diff(_lines(old), _lines(new), f"release/{name}", f"built/{name}")


def _lines(item: Object | None) -> list[str]:
    return dump(_sorted(item)).splitlines(keepends=True) if item else []


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _sorted(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, list):
        return [_sorted(each) for each in value]
    # YAML 1.1 has dates, our writer none.
    return value if value is None or isinstance(value, str | int | float) else str(value)

"""Ways out as their reader takes them: what `help` says, written into llm.yaml, and what then comes of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import yaml

from llmdeploy.compiler import Result
from llmdeploy.diagnostics import Diagnostic
from support import specs

FITS = ("LD304", "LD519")
"""What ways out are printed with."""

_FREE = re.compile(r"where pool `(\w+)` has (\d+) of them free")
_CARDS = re.compile(r"where pool `(\w+)` has (\d+) cards")
_MORE = re.compile(r"(\d+) cards for pool `(\w+)`")
_NODE = re.compile(r"a node with (\d+) GiB for pool `(\w+)`")
_NO_SHARE = re.compile(r"leave `share` out of (`\w+`(?: and `\w+`)*)")
_ORDER = "put the models with the larger shares first"
_TYPE = re.compile(r"`gpus\.(\w+)\.type: ([\w-]+)`")
_OWN = re.compile(r"a pool of its own with `type: ([\w-]+)`")
_SETTING = re.compile(r"`([\w.-]+: [^`]+)`(?: of `(\w+)`)?")
_LEFT_OUT = re.compile(r"leave `engine_args\.([\w.-]+)` out")
_UNSTATED = "leave `concurrency` out"
_HOPELESS = re.compile(r"take a larger (GPU|slice|node), or a smaller model")


def compiled(data: dict[str, Any], targets: Iterable[str] = ("docker",)) -> Result:
    return specs.compiled(data, targets, emit=False)


def found(result: Result, code: str, name: str = "chat") -> Diagnostic | None:
    return next((each for each in result.diagnostics if each.code == code and each.path[1] == name), None)


def ways(diagnostic: Diagnostic) -> list[str]:
    help = (diagnostic.help or "").removeprefix("leave more room: ")
    return [] if _HOPELESS.fullmatch(help) else help.split(", or ")


def applied(data: dict[str, Any], way: str, name: str = "chat") -> dict[str, Any]:
    """Write what a way out says into a spec, as its reader would."""
    changed = deepcopy(data)
    done = False
    for pool, card in _TYPE.findall(way):
        changed["gpus"][pool]["type"] = card
        done = True
    own, way = _OWN.findall(way), _OWN.sub("", _TYPE.sub("", way))
    for setting, other in _SETTING.findall(way):
        ((path, value),) = yaml.safe_load(setting).items()
        _write(changed["models"][other or name], path.split("."), value)
        done = True
    for key in _LEFT_OUT.findall(way):
        del changed["models"][name]["engine_args"][key]
        done = True
    for names in _NO_SHARE.findall(way):
        for each in re.findall(r"`(\w+)`", names):
            del changed["models"][each]["gpus"]["share"]
            done = True
    if _UNSTATED in way:
        del changed["models"][name]["concurrency"]
        done = True
    for pool, count in _CARDS.findall(way):
        _enlarge(changed["gpus"][pool], int(count))
    for pool, count in _FREE.findall(way):
        others = sum(_units(model) for each, model in changed["models"].items() if each != name)
        _enlarge(changed["gpus"][pool], int(count) * changed["models"][name].get("replicas", 1) + others)
    for count, pool in _MORE.findall(way):
        _enlarge(changed["gpus"][pool], int(count))
        done = True
    for gib, pool in _NODE.findall(way):
        changed["gpus"][pool]["memory"] = f"{gib}GiB"
        done = True
    if _ORDER in way:
        by_share = sorted(changed["models"].items(), key=lambda item: -_share(item[1]))
        changed["models"] = dict(by_share)
        done = True
    if own:
        _in_a_pool_of_its_own(changed, own[0], name)
        done = True
    assert done, way
    return changed


def _in_a_pool_of_its_own(data: dict[str, Any], card: str, name: str) -> None:
    first = next(iter(data["gpus"]))
    for each, model in data["models"].items():
        stated = model.get("gpus", 1)
        pool = first if isinstance(stated, int) else stated.get("pool", first)
        _write(model, ["gpus", "pool"], "own" if each == name else pool)
    data["gpus"]["own"] = {"type": card, "count": _units(data["models"][name])}


def _write(model: dict[str, Any], path: list[str], value: Any) -> None:
    if path[0] == "gpus" and isinstance(model.get("gpus", 1), int):
        model["gpus"] = {"count": model.get("gpus", 1)}
    *above, last = path
    for key in above:
        model = model.setdefault(key, {})
    model[last] = value


def _share(model: dict[str, Any]) -> float:
    gpus = model.get("gpus", 1)
    return 1.0 if isinstance(gpus, int) else float(gpus.get("share", 1))


def _enlarge(pool: dict[str, Any], count: int) -> None:
    pool["count"] = count
    if "devices" in pool:
        pool["devices"] = [str(index) for index in range(count)]


def _units(model: dict[str, Any]) -> int:
    gpus = model.get("gpus", 1)
    return int(model.get("replicas", 1) * (gpus if isinstance(gpus, int) else gpus.get("count", 1)))


def judged(result: Result) -> set[tuple[str, Any]]:
    """Return the errors and warnings, by code and by whom they are about."""
    return {(each.code, each.path[:2]) for each in result.diagnostics if each.severity != "note"}


def kept(data: dict[str, Any], code: str, targets: Iterable[str] = ("docker",), name: str = "chat") -> int:
    """Hold every printed way to what it says: it compiles, fits, and brings no warning. Return how many there are.

    That more requests are stated than are held (LD517) is said of a model once it fits; a way does not bring it,
    unless it is the one that states them.
    """
    before = compiled(data, targets)
    diagnostic = found(before, code, name)
    assert diagnostic, data
    printed = ways(diagnostic)
    for way in printed:
        after = compiled(applied(data, way, name), targets)
        fresh = judged(after) - judged(before)
        if data["models"][name].get("concurrency") and "concurrency" not in way:
            fresh -= {("LD517", ("models", name))}
        assert not fresh, (data, way, [each for each in after.diagnostics if each.severity != "note"])
        assert not any(found(after, each, name) for each in FITS), (data, way)
    return len(printed)

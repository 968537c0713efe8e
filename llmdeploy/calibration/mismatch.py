"""Whether a log is of what llm.yaml describes: if not, what they differ by means nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from llmdeploy import catalog
from llmdeploy.calibration.releases import release_of
from llmdeploy.calibration.settings import ALL, POOL, SETTINGS, SIZED, Setting
from llmdeploy.memory.model import Ledger
from llmdeploy.plan.model import Service
from llmdeploy.startlog.model import Boot

if TYPE_CHECKING:
    from llmdeploy.plan.defaults import Setting as Sized

CARD = 0.03
"""By how much two cards of one kind may differ in what the driver leaves them."""

_QUANTIZED = 0.8
"""Of the weights' size: what a checkpoint leaves unquantized is less than the rest."""

_HOPPER = 3
"""FlashAttention's version that runs on GPUs of compute capability 9 alone (vLLM 0.33, v1/attention/backends/fa_utils.py)."""

_RUNS = {"openllm": "vllm"}
"""An engine whose log is another's, at a version of that other's own."""


class Mismatch(Struct, frozen=True):
    """One thing that the log says otherwise. `fatal`: it is another model or engine altogether."""

    what: str
    log: str
    plan: str
    fatal: bool = False
    spoils: tuple[str, ...] = ()
    """The terms that say nothing of the prediction where this differs."""


Default = Callable[["Sized"], int | None]
"""Tells what the engine takes by itself of a setting; asked where a log leaves one out."""


def mismatches(service: Service, ledger: Ledger | None, boot: Boot, default: Default) -> list[Mismatch]:
    return list(_mismatches(service, ledger, boot, default))


def _mismatches(service: Service, ledger: Ledger | None, boot: Boot, default: Default) -> Iterator[Mismatch]:
    if boot.engine != _RUNS.get(service.engine, service.engine):
        yield Mismatch("engine", boot.engine, service.engine, fatal=True)
        return
    releases = {release_of(boot.engine, version) for version in (boot.version, service.engine_version)}
    if service.engine not in _RUNS and boot.version and len(releases) > 1:
        yield Mismatch("version", boot.version, service.engine_version)
    planned = _model(service.launch.argv)
    if boot.model and planned and not _same(boot.model, planned):
        yield Mismatch("model", boot.model, planned, fatal=True)
    yield from _of_settings(service, ledger, boot, default)
    yield from _of_cards(service, boot)


def _of_settings(service: Service, ledger: Ledger | None, boot: Boot, default: Default) -> Iterator[Mismatch]:
    # vLLM lists what is not the default, SGLang everything that is not None.
    listed = bool(boot.asked if boot.engine == "vllm" else boot.settings)
    for setting in SETTINGS:
        names = setting.names
        said = _said(setting, boot)
        flags = setting.flags
        if setting.switch:
            stated = str(_switch(service.launch.argv, flags)) if listed or said else None
            said = said or setting.default
        else:
            stated = _flag(service.launch.argv, flags) or _resolved(ledger, flags[0]) or setting.default
        if said is None:
            if listed and stated is not None and not _by_default(setting, stated, default):
                yield Mismatch(names[0], "its default", stated, spoils=setting.spoils)
            continue
        # Without a value to compare with, only what was asked for counts: the rest are the engine's own defaults. SGLang
        # does not say which is which; weights that its quantization made are another size than is predicted.
        asked = any(name in boot.asked for name in names) or (
            boot.engine == "sglang" and names[0] == "quantization" and _lighter(ledger, boot)
        )
        if stated is None and asked:
            yield Mismatch(names[0], said, "its default", spoils=setting.spoils)
        elif stated is not None and not _equal(said, stated):
            yield Mismatch(names[0], said, stated, spoils=setting.spoils)


def _by_default(setting: Setting, stated: str, default: Default) -> bool:
    """Tell whether an engine that is told nothing of a setting takes what the plan states; where nobody knows, it may."""
    if setting.optional or setting.default is not None:
        return stated == setting.default
    name = SIZED.get(setting.flags[0])
    own = default(name) if name is not None else None
    return own is None or _equal(str(own), stated)


def _of_cards(service: Service, boot: Boot) -> Iterator[Mismatch]:
    planned = next((gpu for each in service.gpus.products if (gpu := catalog.gpu(each))), None)
    named = catalog.gpu(boot.gpu) if boot.gpu else None
    flash, capability = boot.largest("flash"), planned.capability if planned else None
    if named is not None and planned is not None and named.id != planned.id:
        yield Mismatch("GPU", named.name, planned.name, spoils=ALL)
    elif flash == _HOPPER and planned is not None and capability and not capability.startswith("9."):
        yield Mismatch("GPU", "of Hopper (FlashAttention 3)", planned.name, spoils=ALL)
    total, planned_gib = boot.largest("total"), service.gpus.memory_gib
    if service.gpus.count and total and planned_gib and abs(total - planned_gib) > CARD * planned_gib:
        yield Mismatch("memory of one GPU", f"{total:.2f} GiB", f"{planned_gib:.2f} GiB", spoils=POOL)


def _lighter(ledger: Ledger | None, boot: Boot) -> bool:
    """Tell whether weights are so much less than predicted that they were quantized meanwhile: FP8 halves them."""
    predicted = max((rank.weights_gib for rank in ledger.ranks), default=0.0) if ledger else 0.0
    return (boot.largest("weights") or predicted) < _QUANTIZED * predicted


def _said(setting: Setting, boot: Boot) -> str | None:
    """Return what the log has of a setting; of several switches, whether one is on."""
    found = [boot.settings[name] for name in setting.names if name in boot.settings]
    if setting.switch:
        found.sort(key=lambda each: each.lower() != "true")
    value = boot.largest(setting.printed)
    return found[0] if found else None if value is None else f"{value:g}"


def _switch(argv: Sequence[str], names: Sequence[str]) -> bool:
    """Tell whether one of these flags is given; `--flag=false` is not."""
    given = (word.partition("=") for word in argv if word.startswith("--"))
    return any(flag[2:].replace("_", "-") in names and value.lower() != "false" for flag, _, value in given)


def _resolved(ledger: Ledger | None, flag: str) -> str | None:
    """What the ledger took for a flag that the command line leaves out."""
    name = "fraction" if flag == "gpu-memory-utilization" else SIZED.get(flag)
    value = getattr(ledger, name) if ledger is not None and name is not None else None
    return None if value is None else str(value)


def _model(argv: Sequence[str]) -> str | None:
    """`vllm serve MODEL …`, or `--model-path MODEL`."""
    named = _flag(argv, ("model-path", "model", "model-id"))
    if named:
        return named
    after = [word for word, before in zip(argv[1:], argv, strict=False) if before == "serve"]
    return after[0] if after and not after[0].startswith("-") else None


def _flag(argv: Sequence[str], names: Sequence[str]) -> str | None:
    for index, word in enumerate(argv):
        flag, equals, value = word.partition("=")
        if flag.startswith("--") and flag[2:].replace("_", "-") in names:
            return value if equals else next(iter(argv[index + 1 : index + 2]), None)
    return None


def _same(one: str, other: str) -> bool:
    """A Hub id, and a directory that ends in its name, are the same; the case of letters does not matter."""
    left, right = (text.lower().replace("\\", "/").rstrip("/").split("/")[-1] for text in (one, other))
    whole = one.lower() == other.lower()
    is_directory = any(text.startswith(("/", ".", "~")) for text in (one, other))
    return whole or (is_directory and left == right)


def _equal(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return one.lower() == other.lower()

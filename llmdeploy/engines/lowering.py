"""What every engine does with its table. An engine calls `lower` and adds what a table cannot say."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from msgspec import Struct, convert
from msgspec.structs import replace

from llmdeploy.catalog import methods
from llmdeploy.catalog.versions import within
from llmdeploy.diagnostics import Diagnostic, Note
from llmdeploy.emit.shell import join
from llmdeploy.engines.base import WEIGHTS, Capability, Card, Lowered, Phase, Settings
from llmdeploy.engines.flags import Speller, Words, spell
from llmdeploy.engines.limits import Limits, limits
from llmdeploy.engines.table import Table, load, probes_of
from llmdeploy.plan.model import Download, Launch, Mount, MountKind, Probe, Probes

if TYPE_CHECKING:
    from llmdeploy.memory.model import Calibration, Ledger, Question

MOVING = r"(^|[-_.])(latest|nightly|main|master|dev|edge|stable)([-_.]|$)"


class TableEngine(Struct, frozen=True):
    """An engine as far as its table goes. A subclass says the rest."""

    table: Table
    package: str
    own: ClassVar[Mapping[str, Speller]] = {}
    """Settings that the table leaves to the engine's own code."""

    @classmethod
    def of(cls, package: str) -> Self:
        return cls(load(package), package)

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def title(self) -> str:
        return self.table.title

    @property
    def versions(self) -> tuple[str, ...]:
        return self.table.versions

    def releases(self) -> tuple[str, ...]:
        from llmdeploy.engines.arguments.parser import releases

        return releases(self.table)

    def judged_by(self, version: str) -> str | None:
        if version in self.versions:
            return version
        from llmdeploy.engines.arguments.parser import judged_by

        return judged_by(version, self.table)

    def limits(self, version: str) -> Limits:
        return limits(self.table.limits, version, self.table.serves, methods(self.name, version))

    def takes(self, setting: str, version: str, vendor: str) -> bool:
        row = self.table.settings.get(setting)
        return row is not None and row.in_version(version) and vendor in row.vendors

    def memory(self, question: Question) -> Ledger:
        """Answer with the equation of the package's own module `memory`, where it has one."""
        from llmdeploy.memory.model import Ledger, Verdict

        if find_spec(f"{self.package}.memory") is None:
            return Ledger(Verdict.UNKNOWN, reason=f"engine: the memory of {self.title} is not modelled")
        equation = import_module(f"{self.package}.memory")
        if question.fraction is None and question.card_fraction is not None:
            own: Callable[[Question], float | None] = getattr(equation, "of_the_card", _as_it_is)
            question = replace(question, fraction=own(question))
        answer: Callable[[Question], Ledger] = equation.memory
        found = answer(question)
        if question.card.vendor != "amd":
            return found
        from llmdeploy.memory.unmeasured import on_amd

        return on_amd(found)

    def lower(self, settings: Settings) -> Lowered:
        return lower(settings, self.table, self.own)

    def phases(self) -> tuple[Phase, ...]:
        return tuple(convert(row, Phase) for row in self.table.startup)

    def calibration(self, version: str | None) -> Calibration:
        from llmdeploy.memory.model import Calibration

        rows = [
            row
            for row in self.table.calibration
            if version is None or within(version, row.get("since"), row.get("until"))
        ]
        return convert(rows[-1], Calibration) if rows else Calibration()

    def card(self) -> Card:
        return Card(self.table.title, self.table.status)

    def capabilities(self) -> tuple[Capability, ...]:
        from llmdeploy.engines.capabilities import load

        return load(self.package)


def _as_it_is(question: Question) -> float | None:
    return question.card_fraction


def lower(settings: Settings, table: Table, own: Mapping[str, Speller] = MappingProxyType({})) -> Lowered:
    """Lower settings by the table alone."""
    facts = _facts(settings, table)
    vendor = table.vendors.get(settings.vendor, {})
    hub = settings.source != "path" or bool(settings.further)
    words = spell(settings, table, facts, own)
    words.args[:0] = [text.format_map(facts) for text in table.args]
    words.args += vendor.get("args", ())
    base = {**table.env, **(table.hub_env if hub else {}), **vendor.get("env", {})}
    words.env = {name: text.format_map(facts) for name, text in base.items()} | words.env
    _user(settings, table, words)
    for check in (_lifecycle, _source, _logged_key):
        words.diagnostics += check(settings, table)
    return Lowered(
        launch=_launch(settings, table, words, tuple(vendor.get("entrypoint", table.entrypoint))),
        endpoints=table.endpoints,
        probes=_probes(probes_of(table, settings.version), settings.ready_timeout_s),
        drain=table.drain,
        user=table.user.get(settings.vendor),
        mounts=_mounts(table, hub),
        download=_download(settings, table, facts) if hub else None,
        adapter_names={adapter.name: adapter.name for adapter in settings.values.get("adapters", ())},
        api=table.api,
        why=tuple(words.why),
        diagnostics=tuple(words.diagnostics),
    )


def _user(settings: Settings, table: Table, words: Words) -> None:
    """Add what the user hands to the engine; what judges it is imported for those who do."""
    if settings.engine_args:
        from llmdeploy.engines.arguments import passing

        passing.add(settings, table, words)
    if settings.env:
        from llmdeploy.engines.arguments import variables

        words.diagnostics += variables.check(settings, table)


def _launch(settings: Settings, table: Table, words: Words, entrypoint: tuple[str, ...]) -> Launch:
    image = _image(settings, table, words)
    env = {**words.env, **settings.env}
    key = {table.api_key_env: settings.api_key} if table.api_key_env and settings.api_key else {}
    return Launch(image, entrypoint, tuple(words.args), env, table.port, key)


def _facts(settings: Settings, table: Table) -> Mapping[str, Any]:
    return {
        "model": settings.model,
        "version": settings.version,
        "tensor": settings.values.get("tensor", max(settings.gpu_count, 1)),
        "drain_s": table.drain.drain_s,
        "ready_timeout_s": settings.ready_timeout_s,
    }


def _image(settings: Settings, table: Table, words: Words) -> str:
    if settings.image is not None:
        if _moves(settings.image):
            message = f"`{settings.image}` may be another image tomorrow"
            path = (*settings.origin, "image")
            help = "name a release, or a digest (`@sha256:…`)"
            words.diagnostics.append(Diagnostic("LD504", message, path, help))
        return settings.image
    for row in table.images:
        if row.vendor == settings.vendor and row.arch in (None, settings.arch):
            return row.image.format(version=settings.version)
    words.diagnostics.append(_no_image(settings, table))
    return ""


def _moves(image: str) -> bool:
    name, at, _ = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return not at and (not tag or re.search(MOVING, tag) is not None)


def _no_image(settings: Settings, table: Table) -> Diagnostic:
    where = " ".join(filter(None, (settings.vendor, settings.arch)))
    known = sorted({" ".join(filter(None, (row.vendor, row.arch))) for row in table.images})
    message = f"{table.title} {settings.version} has no image for {where}; it has {', '.join(known)}"
    help = "take another engine or another pool, or name an `image` of your own"
    return Diagnostic("LD308", message, (*settings.origin, "engine"), help)


def _lifecycle(settings: Settings, table: Table) -> Iterator[Diagnostic]:
    if table.lifecycle:
        path = (*settings.origin, "engine")
        yield Diagnostic("LD505", table.lifecycle["message"], path, table.lifecycle["help"])


def _source(settings: Settings, table: Table) -> Iterator[Diagnostic]:
    if settings.source in table.serves:
        return
    path = (*settings.origin, "source")
    if settings.source == "openllm":
        message = f"{table.title} cannot serve the OpenLLM tag `{settings.openllm_tag}`"
        yield Diagnostic("LD315", message, path, f"write `source: {settings.model}`, or `engine: openllm`")
    else:
        message = f"{table.title} cannot serve `{settings.model}`"
        help = f"write a source like `{{{table.serves[0]}: …}}`, or take another engine"
        yield Diagnostic("LD315", message, path, help)


def _logged_key(settings: Settings, table: Table) -> Iterator[Diagnostic]:
    if settings.api_key is not None and table.key_logged is not None:
        message = f"{table.title} writes its API key to its log when it starts"
        help = "keep its logs as close as the key, or take an engine that does not"
        yield Diagnostic("LD509", message, ("gateway", "auth"), help, (Note(f"source: {table.key_logged}"),))


def _mounts(table: Table, hub: bool) -> tuple[Mount, ...]:
    weights = (Mount(MountKind.WEIGHTS, WEIGHTS, read_only=True),) if hub else ()
    return (*weights, Mount(MountKind.CACHE, table.cache, read_only=False))


def _download(settings: Settings, table: Table, facts: Mapping[str, Any]) -> Download:
    commands = []
    if settings.source != "path":
        commands.append([text.format_map(facts) for text in table.download])
        if "revision" in settings.values:
            commands[0] += ["--revision", settings.values["revision"]]
    for repository in settings.further:
        command = [text.format_map({**facts, "model": repository.hub}) for text in table.download]
        into = [] if repository.directory is None else ["--local-dir", repository.directory]
        commands.append([*command, *into])
    return Download(in_turn(commands), dict(table.hub_env), settings.token)


def in_turn(commands: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return one command that runs several, each only where the one before it succeeded."""
    if len(commands) == 1:
        return tuple(commands[0])
    return ("sh", "-ec", "\n".join(map(join, commands)))


def _probes(paths: Mapping[str, str], ready_timeout_s: int) -> Probes:
    """Time the probes for engines that answer late under load, but answer.

    KServe gives liveness ten tries of ten seconds; llm-d-benchmark#1734 raised its timeout to 15 s after a
    saturated vLLM had missed shorter ones; SGLang's /health takes a whole second when idle.
    """
    return Probes(
        startup=Probe(paths["startup"], period_s=10, timeout_s=5, failures=math.ceil(ready_timeout_s / 10)),
        readiness=Probe(paths["readiness"], period_s=5, timeout_s=5, failures=3),
        liveness=Probe(paths["liveness"], period_s=10, timeout_s=15, failures=12),
    )

"""Puts every model of a plan to its engine, where that is installed here, and says what came of it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.engines.lowering import TableEngine
from llmdeploy.engines.table import Setting
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.model import Plan, Service
from llmdeploy.registry import ENGINES
from llmdeploy.runtime.oracle import checkpoint, places
from llmdeploy.runtime.oracle.blame import blamed
from llmdeploy.runtime.oracle.checkpoint import NoConfig
from llmdeploy.runtime.oracle.judge import CannotAsk, Complaint, Judge, Question, after_serve, can_be_asked
from llmdeploy.spec.model import Model, Spec

Tell = Callable[[str], None]

_STEADY = {"vllm": 2, "sglang": 3}
"""How many numbers of two versions must agree for one command line: SGLang has been at 0.5 for 23 releases."""
_WORDS = 300


class Site(Struct, frozen=True):
    """`directory` holds llm.yaml, `programs` are the directories of --engine-bin, `environ` names the Hub cache."""

    directory: Path
    programs: Mapping[str, Path]
    environ: Mapping[str, str]


class _Case(Struct, frozen=True):
    """One model, and what is needed to ask about it."""

    service: Service
    model: Model
    pool: Hardware

    @property
    def name(self) -> str:
        return f"`{self.service.name}`"


class _Engine(Struct, frozen=True):
    """An engine of llm.yaml at one version, as its table calls it."""

    name: str
    version: str
    title: str
    settings: Mapping[str, Setting]

    def __str__(self) -> str:
        return f"{self.title} {self.version}"


def find(
    plan: Plan, spec: Spec, pools: Mapping[str, Hardware], site: Site, tell: Tell
) -> Iterator[Diagnostic]:
    """Yield what the engines themselves say. An engine that cannot be asked is a finding, too."""
    groups: dict[tuple[str, str], list[_Case]] = {}
    for service in plan.services:
        case = _Case(service, spec.models[service.name], pools[service.gpus.pool])
        groups.setdefault((service.engine, service.engine_version), []).append(case)
    for (name, version), cases in groups.items():
        table = engine.table if isinstance(engine := ENGINES[name], TableEngine) else None
        asked = _Engine(name, version, table.title if table else name, table.settings if table else {})
        if can_be_asked(name):
            yield from _ask(asked, cases, site, tell)
        else:
            for case in cases:
                yield _note(
                    case, f"{asked} cannot be asked about {case.name}: its parser is no Python package"
                )


def _ask(engine: _Engine, cases: Sequence[_Case], site: Site, tell: Tell) -> Iterator[Diagnostic]:
    left = list(cases)
    python = places.python_of(engine.name, site.programs)
    if python is None:
        yield _unasked(left, f"{engine.title} is not installed here", _elsewhere(engine))
        return
    try:
        with Judge(engine.name, python) as judge:
            yield from _unlike(engine, judge.version, python, left)
            if not _is_steady(engine, judge.version):
                return
            tell(f"asking {engine.title} {judge.version} …")
            while left:
                yield _judged(engine, judge, left[0], site)
                del left[0]
    except CannotAsk as reason:
        help = f"see what `{python} -c 'import {engine.name}'` says"
        yield _unasked(left, f"{engine.title} gives no answer: {_words(str(reason))}", help)


def _unlike(
    engine: _Engine, installed: str | None, python: Path, cases: Sequence[_Case]
) -> Iterator[Diagnostic]:
    """Say where another version is installed than llm.yaml has, or none."""
    if installed is None:
        yield _unasked(cases, f"{python} has no {engine.title}", _elsewhere(engine))
    elif not _is_steady(engine, installed):
        what = f"{engine.title} {installed} is installed here, and not {engine.version}"
        yield _unasked(cases, what, _elsewhere(engine))
    elif _numbers(installed) != _numbers(engine.version):
        what = f"{engine.title} {installed} was asked, and not {engine.version}: it is what is installed here"
        yield Diagnostic("LD342", what, _path(cases[0]), _elsewhere(engine))


def _is_steady(engine: _Engine, installed: str | None) -> bool:
    """Tell whether the installed version has the command line of the one that is meant."""
    count = _STEADY[engine.name]
    return installed is not None and _numbers(installed)[:count] == _numbers(engine.version)[:count]


def _numbers(version: str) -> tuple[str, ...]:
    """Return the parts of a version; what a build adds behind `+` is none."""
    return tuple(version.partition("+")[0].split("."))


def _judged(engine: _Engine, judge: Judge, case: _Case, site: Site) -> Diagnostic:
    with tempfile.TemporaryDirectory(prefix="llmdeploy-") as folder:
        unread: NoConfig | None = None
        try:
            checkpoint.laid_out(
                _checkpoint(case, site), Path(folder), remote_code=case.model.trust_remote_code
            )
        except NoConfig as reason:
            unread = reason
        complaint = judge.complaint(_question(case, None if unread else folder))
    if complaint is not None:
        return _refusal(engine, case, complaint, folder)
    if unread is not None:
        text = f"{engine} takes the command line of {case.name}; its configuration was not checked: {unread}"
        return _note(case, text, unread.help)
    text = f"{engine} takes {case.name}: its command line, and the configuration for this config.json; memory is not judged"
    return _note(case, text)


def _checkpoint(case: _Case, site: Site) -> Path:
    """Return the directory that describes the model. Raises NoConfig where its configuration cannot be judged."""
    source, pool, drafter = case.model.source, case.pool, case.model.speculative
    if pool.vendor != "nvidia":
        raise NoConfig(f"pool `{pool.name}` is {pool.vendor}, and only NVIDIA GPUs can be stood in for")
    if drafter is not None and drafter.model is not None:
        raise NoConfig("that of its drafter is needed, too, and not looked for")
    if source.path is not None:
        here = site.directory / source.path
        if source.path.startswith("~") or not (here / checkpoint.CONFIG).is_file():
            raise NoConfig(f"`{source.path}` has no {checkpoint.CONFIG} on this machine")
        return here
    found = places.cached(source.hub or "", case.model.revision, site.environ)
    if found is None:
        at = f" --revision {case.model.revision}" if case.model.revision else ""
        help = f"fetch it: `hf download {source.hub} {checkpoint.CONFIG}{at}`"
        raise NoConfig(f"the Hub cache of this machine has no {checkpoint.CONFIG} of it", help)
    return found


def _question(case: _Case, config_dir: str | None) -> Question:
    launch, pool = case.service.launch, case.pool
    major, _, minor = (pool.capability or "9.0").partition(".")
    # The rest of its environment is for the container: paths and caches that this machine does not have.
    env = {name: value for name, value in launch.env.items() if name.startswith(("VLLM_", "SGLANG_"))}
    return Question(
        argv=after_serve(launch.argv),
        env=env,
        config_dir=config_dir,
        gpus=max(case.service.gpus.count, 1),
        capability=(int(major), int(minor or 0)),
        memory_gib=pool.memory_gib or 80,
    )


def _refusal(engine: _Engine, case: _Case, complaint: Complaint, folder: str) -> Diagnostic:
    service, model = case.service, case.model
    text = complaint.text.replace(folder, model.source.hub or model.source.path or "")
    path = blamed(
        text, after_serve(service.launch.argv), service.origin, list(model.engine_args), engine.settings
    )
    what = "the command line" if complaint.stage == "arguments" else "this configuration"
    code = "LD340" if complaint.stage == "arguments" else "LD341"
    field = ".".join(map(str, path[len(service.origin) :]))
    whole = "compare config.json with the command line that `llmdeploy plan` shows"
    help = f"change `{field}`, or leave it out" if field else whole
    return Diagnostic(code, f"{engine} refuses {what} of {case.name}: {_words(text)}", path, help)


def _unasked(cases: Sequence[_Case], why: str, help: str) -> Diagnostic:
    names = ", ".join(case.name for case in cases)
    return Diagnostic("LD342", f"{why}, so {names} could not be put to it", _path(cases[0]), help)


def _elsewhere(engine: _Engine) -> str:
    package = f"{engine.name}=={engine.version}"
    return f"install it beside llmdeploy (`pip install {package}`), or name its directory: `--engine-bin {engine.name}=DIR`"


def _note(case: _Case, message: str, help: str | None = None) -> Diagnostic:
    return Diagnostic("LD524", message, _path(case), help)


def _path(case: _Case) -> tuple[str | int, ...]:
    return (*case.service.origin, "engine")


def _words(text: str) -> str:
    """Return an engine's words on one line; some list all that would have been right."""
    line = " ".join(text.split())
    return f'"{line if len(line) <= _WORDS else line[: _WORDS - 1].rstrip() + "…"}"'

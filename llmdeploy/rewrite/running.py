"""What runs otherwise after a rewrite: each service once, however many targets it has, and each file by its counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from llmdeploy.diagnostics.redact import MASK, names_credential, redact
from llmdeploy.emit.shell import quote
from llmdeploy.plan.model import Plan, Service
from llmdeploy.rewrite.outcome import Outcome, artifact_diffs

_SHOWN = ("name", "origin", "engine", "engine_version", "launch", "why")
"""Fields of a service that stand in the report already, or are compared word by word."""


class Change(Struct, frozen=True):
    """One flag, variable or image; None where it is not there."""

    what: str
    before: str | None
    after: str | None


class Running(Struct, frozen=True):
    """`also` names what else is not the same about a service: its probes, its mounts."""

    model: str
    changes: tuple[Change, ...]
    also: tuple[str, ...]


class Counts(Struct, frozen=True):
    """Lines of a file that come and go."""

    path: str
    added: int
    removed: int


def running(outcome: Outcome) -> list[Running]:
    """Return each service that would run otherwise; none where either file has errors."""
    before, after = outcome.before, outcome.after
    return (
        list(_services(before.plan, after.plan)) if _are_whole(outcome) and before.plan and after.plan else []
    )


def files(outcome: Outcome) -> list[Counts]:
    """Return the artifacts that change."""
    return [
        Counts(path, *(sum(line[0] == sign for line in lines[2:]) for sign in "+-"))
        for path, lines in artifact_diffs(outcome).items()
    ]


def lines(outcome: Outcome) -> Iterator[str]:
    """Yield both for people."""
    for number, service in enumerate(running(outcome)):
        yield from ["what runs"] if number == 0 else []
        yield f"  {service.model}"
        for change in service.changes:
            for sign, text in (("-", change.before), ("+", change.after)):
                if text is not None:
                    yield f"    {sign} {change.what:<5}  {text}"
        if service.also:
            yield f"      also   {', '.join(service.also)}"
    found = files(outcome)
    width = max((len(each.path) for each in found), default=0)
    for number, each in enumerate(found):
        yield from ["files"] if number == 0 else []
        yield f"  {each.path:<{width}}  +{each.added} -{each.removed}"


def _are_whole(outcome: Outcome) -> bool:
    return bool(outcome.before.artifacts and outcome.after.artifacts)


def _services(before: Plan, after: Plan) -> Iterator[Running]:
    old = {service.name: service for service in before.services}
    for now in after.services:
        was = old.get(now.name)
        if was is None:
            continue
        changes, also = tuple(_changes(was, now)), tuple(_also(was, now))
        if changes or also:
            yield Running(now.name, changes, also)


def _changes(was: Service, now: Service) -> Iterator[Change]:
    yield from _differing("image", {"": was.launch.image}, {"": now.launch.image})
    yield from _differing("args", _words(was.launch.argv), _words(now.launch.argv))
    yield from _differing("env", _variables(was.launch.env), _variables(now.launch.env))


def _differing(what: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for key in dict.fromkeys([*before, *after]):
        if before.get(key) != after.get(key):
            yield Change(what, before.get(key), after.get(key))


def _words(argv: tuple[str, ...]) -> dict[str, str]:
    """Return the command line by flag, each with its values; under "" stands what comes before the first."""
    found: dict[str, list[str]] = {}
    flag = ""
    for word in argv:
        if word.startswith("--"):
            flag = word.partition("=")[0]
        is_value = not word.startswith("--") and names_credential(flag)
        found.setdefault(flag, []).append(MASK if is_value else quote(redact(word)))
    return {flag: " ".join(words) for flag, words in found.items()}


def _variables(env: Mapping[str, str]) -> dict[str, str]:
    return {key: f"{key}={MASK if names_credential(key) else redact(value)}" for key, value in env.items()}


def _also(was: Service, now: Service) -> Iterator[str]:
    for name in was.__struct_fields__:
        if name not in _SHOWN and _compared(name, was) != _compared(name, now):
            yield name.replace("_", " ")
    for name in ("port", "secret_env"):
        if getattr(was.launch, name) != getattr(now.launch, name):
            yield name.replace("_", " ")


def _compared(name: str, service: Service) -> Any:
    """Return a field without what the report tells of the machine."""
    return replace(service.gpus, driver=None) if name == "gpus" else getattr(service, name)

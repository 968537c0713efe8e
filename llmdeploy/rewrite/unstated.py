"""What another release changes for a model beside the flags that it names: those of its fields, and defaults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from llmdeploy.catalog.defaults import telling_defaults
from llmdeploy.catalog.flags import Flag
from llmdeploy.engines.arguments.parser import Parser
from llmdeploy.engines.arguments.spelling import bare, split
from llmdeploy.plan.model import Service
from llmdeploy.rewrite.changes import changes
from llmdeploy.rewrite.edits import value_at
from llmdeploy.rewrite.fields import path_of
from llmdeploy.rewrite.names import named
from llmdeploy.rewrite.report import Item, Kind, shown
from llmdeploy.rewrite.way import Way


def compiled_to(way: Way, before: Parser, after: Parser, compiled: Service | None) -> Iterator[Item]:
    """Yield what is no longer the same about the flags that the fields are compiled to."""
    mine = {(_full(name, before), inner) for name, inner in map(split, way.entries("engine_args"))}
    for flag, value in _words(way, compiled):
        name, inner = split(flag)
        was, now = before.find(name), after.find(name)
        if was is None or mine & {(was.flag.name, inner), (was.flag.name, "")}:
            continue
        field = _stated_by(way, flag, value)
        subject = f"`{'.'.join(field)}`, compiled to {flag}" if field else f"{flag}, which llmdeploy adds"
        if now is None:
            why = "not there: the field is compiled to another, or is an error"
            yield Item(Kind.CHANGED, subject, why=why, at=field)
        else:
            found = changes(subject, inner, value, was.flag, now.flag, after, before)
            yield from (replace(each, at=field) for each in found if each.kind is Kind.CHANGED)


def _full(spelling: str, parser: Parser) -> str:
    found = parser.find(spelling)
    return found.flag.name if found else spelling


def _stated_by(way: Way, flag: str, value: str) -> tuple[str, ...] | None:
    """Return the field of llm.yaml that a flag with this word comes from, where the model states it."""
    setting = named(flag, value, way.after).setting
    field = path_of(setting) if setting else None
    return field if field and value_at(way.stated, field) is not None else None


def _words(way: Way, compiled: Service | None) -> Iterator[tuple[str, str]]:
    """Yield the flags on the command line, short forms too, or the variables that stand for some, with their values.

    A value may begin with a dash, and is no flag that a parser knows.
    """
    if compiled is None:
        return
    if way.after.engine_args == "environment":
        stated = way.entries("env")
        env = compiled.launch.env.items()
        yield from ((split(name.lower())[0], value) for name, value in env if name not in stated)
        return
    words = compiled.launch.args
    for word, further in zip(words, (*words[1:], ""), strict=True):
        if word.startswith("-"):
            flag, _, value = word.partition("=")
            yield flag, value or further


def other_defaults(way: Way, before: Parser, after: Parser) -> Iterator[Item]:
    """Yield the defaults that matter to this model and are others."""
    found = (before.find(split(key)[0]) for key in way.entries("engine_args"))
    given = {each.flag.name for each in found if each}
    for row in telling_defaults():
        field = tuple(row.field.split(".")) if row.field else None
        if row.engine != way.after.name or row.flag in given or (field is not None and way.says(field)):
            continue
        was, now = before.find(row.flag), after.find(row.flag)
        if was is None or now is None:
            continue
        ends = _default(was.flag), _default(now.flag)
        if ends[0] != ends[1]:
            change = " → ".join(ends)
            yield Item(Kind.DEFAULT, f"{bare(row.flag)} (not given): {change}", why=row.why)


def _default(flag: Flag) -> str:
    return "left to the engine" if flag.default in (None, "", {}, "{}") else shown(flag.default)

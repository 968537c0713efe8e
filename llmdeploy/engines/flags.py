"""Settings in an engine's words: arguments and variables, by its table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.engines.base import Settings
from llmdeploy.engines.table import Setting, Table, field_of
from llmdeploy.plan.model import Why


@dataclass(slots=True)
class Words:
    """What has been said so far: arguments, variables, reasons and findings, each in order."""

    args: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    why: list[Why] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)


NO_OP = {"tensor": 1, "pipeline": 1, "data": 1}
"""What every engine does anyway: stating it needs no flag."""


def spell(settings: Settings, table: Table, facts: Mapping[str, Any]) -> Words:
    """Say every setting in the order of the table; what the table lacks is a finding."""
    words = Words()
    rows = {name: row for name, row in table.settings.items() if row.in_version(settings.version)}
    for name, row in rows.items():
        if name in settings.values and settings.vendor in row.vendors:
            _spell(row, settings, words, facts)
    for name, value in settings.values.items():
        # A row that is silent on this vendor leaves it to another setting, unless the table has a note.
        said = name in rows and (settings.vendor in rows[name].vendors or name not in table.noted)
        if not said and NO_OP.get(name) != value:
            words.diagnostics += _lacking(name, settings, table)
    return words


def _spell(row: Setting, settings: Settings, words: Words, facts: Mapping[str, Any]) -> None:
    value = settings.values[row.name]
    texts, spellings = _texts(value, row, facts), row.spellings(settings.vendor)
    if row.values and texts[0] not in spellings:
        words.diagnostics.append(_refused(texts[0], row, settings))
        return
    spelled = [spellings.get(text, text) for text in texts]
    if spelled != texts or row.because:
        because = row.because or f"the engine's word for `{field_of(row.name)}: {texts[0]}`"
        words.why.append(Why(field_of(row.name), " ".join(spelled), because))
    if row.flag is not None:
        words.args += [row.flag, *(f"{row.key}={text}" if row.key else text for text in spelled)]
    if row.env is not None:
        words.env[row.env] = spelled[0] if spelled else "true"
    words.env |= row.also_env
    if row.kind == "first" and len(value) > 1:
        message = f"the engine takes one name, `{texts[0]}`, and answers to any"
        words.diagnostics.append(Diagnostic("LD507", message, settings.origin_of(row.name)))


def _texts(value: Any, row: Setting, facts: Mapping[str, Any]) -> list[str]:
    if row.kind == "switch":
        return [] if row.set is None else [row.set.format_map(facts)]
    many = list(value) if isinstance(value, list | tuple) else [value]
    return [str(one) for one in (many[:1] if row.kind == "first" else many)]


def _refused(text: str, row: Setting, settings: Settings) -> Diagnostic:
    name, path = field_of(row.name), settings.origin_of(row.name)
    legal = ", ".join(f"`{word}`" for word in row.spellings(settings.vendor)) or "none"
    message = f"the engine has no `{name}: {text}` on {settings.vendor}; it has {legal}"
    return Diagnostic("LD309", message, path, f"leave `{name}` out, or write another")


def _lacking(name: str, settings: Settings, table: Table) -> Iterator[Diagnostic]:
    path, use = settings.origin_of(name), field_of(name)
    if (noted := table.noted.get(name)) is None:
        message = f"{table.title} {settings.version} has no counterpart of `{use}`"
        help = "leave it out, or take an engine that has it: see `llmdeploy engines`"
        yield Diagnostic("LD307", message, path, help)
    elif path[-1:] == (use.rpartition(".")[2],):  # stated, not derived
        yield Diagnostic(noted.code, noted.message, path)

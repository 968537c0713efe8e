"""Settings in an engine's words: arguments and variables, by its table."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from llmdeploy.catalog.versions import judged_by
from llmdeploy.diagnostics import Diagnostic
from llmdeploy.diagnostics.suggest import did_you_mean
from llmdeploy.engines.base import Settings, argument
from llmdeploy.engines.table import Setting, Table, field_of
from llmdeploy.plan.model import Why


class Words(Struct):
    """What has been said so far: arguments, variables, reasons and findings, each in order."""

    args: list[str] = []
    env: dict[str, str] = {}
    why: list[Why] = []
    diagnostics: list[Diagnostic] = []


Speller = Callable[[Any, Settings, Words], None]
"""Says one setting (its value comes first) where a table cannot."""

NO_OP = {"tensor": 1, "pipeline": 1, "data": 1}
"""What every engine does anyway: stating it needs no flag."""


def spell(settings: Settings, table: Table, facts: Mapping[str, Any], own: Mapping[str, Speller]) -> Words:
    """Say every setting in the order of the table; what the table lacks is a finding."""
    words = Words()
    rows = {name: row for name, row in table.settings.items() if row.in_version(settings.version)}
    for name, row in rows.items():
        if name in settings.values and settings.vendor in row.vendors:
            if row.kind == "own":
                own[name](settings.values[name], settings, words)
            else:
                _spell(row, settings, table, words, facts)
    for name, value in settings.values.items():
        # A row that is silent on this vendor leaves it to another setting, unless the table has a note.
        said = name in rows and (settings.vendor in rows[name].vendors or name not in table.noted)
        if not said and NO_OP.get(name) != value:
            words.diagnostics += _lacking(name, settings, table)
    return words


def _spell(row: Setting, settings: Settings, table: Table, words: Words, facts: Mapping[str, Any]) -> None:
    value = settings.values[row.name]
    texts = _texts(value, row, facts)
    spellings = row.spellings(settings.vendor) if row.values else row.translated
    spelled = [spellings.get(text, text) for text in texts]
    if row.values and texts[0] not in spellings:
        words.diagnostics.append(_refused(texts[0], row, settings, table))
        return
    if row.registry is not None and (legal := _registered(row, settings, table)) and spelled[0] not in legal:
        words.diagnostics.append(_unregistered(texts[0], legal, row, settings, table))
        return
    if row.flag is not None and "." in row.flag:
        words.diagnostics += _changed(texts[0], spelled[0], row, settings, table)
    if spelled != texts or row.because:
        because = row.because or f"the engine's word for `{field_of(row.name)}: {texts[0]}`"
        words.why.append(Why(field_of(row.name), " ".join(spelled), because))
    if row.flag is not None:
        pair = (f"{row.key}={text}" if row.key else text for text in spelled)
        words.args += [*row.together, row.flag, *pair]
    if row.env is not None:
        words.env[row.env] = spelled[0] if spelled else "true"
    words.env |= row.also_env
    if row.kind == "first" and len(value) > 1:
        message = f"the engine takes one name, `{texts[0]}`, and answers to any"
        words.diagnostics.append(Diagnostic("LD507", message, settings.origin_of(row.name)))


def _texts(value: Any, row: Setting, facts: Mapping[str, Any]) -> list[str]:
    if row.kind == "switch":
        return [] if row.set is None else [row.set.format_map(facts)]
    if row.kind == "json":
        return [json.dumps(value, separators=(",", ":"))]
    many = list(value) if isinstance(value, list | tuple) else [value]
    return [str(one) for one in (many[:1] if row.kind == "first" else many)]


def _registered(row: Setting, settings: Settings, table: Table) -> tuple[str, ...]:
    """Return the values that this version has; none where they are not known, or a plug-in may add to them."""
    from llmdeploy.catalog.flags import flag_table  # for parsers alone

    flags = flag_table(table.name)
    plugged = any(argument(key).endswith("-plugin") for key in settings.engine_args)
    release = judged_by(settings.version, flags.versions, table.line) if flags else None
    if flags is None or plugged or release is None or row.flag is None:
        return ()
    if row.registry != "choices":
        return flags.registry(row.registry or "", release)
    flag = flags.find(row.flag, release)
    return flag.choices if flag else ()


def _unregistered(
    text: str, legal: tuple[str, ...], row: Setting, settings: Settings, table: Table
) -> Diagnostic:
    message = f"{table.title} {settings.version} has no `{field_of(row.name)}: {text}`"
    help = did_you_mean(text, sorted(legal))
    return Diagnostic("LD309", message, settings.origin_of(row.name), help)


def _changed(text: str, word: str, row: Setting, settings: Settings, table: Table) -> Iterator[Diagnostic]:
    """Find a word of a field of a flag's JSON that this release drops or is about to: of those no parser tells."""
    from llmdeploy.engines.arguments import changes  # reads the catalogs
    from llmdeploy.engines.arguments.parser import parser_of
    from llmdeploy.engines.arguments.spelling import split

    parser = parser_of(table, settings.version)
    if parser is not None:
        name, field = split(row.flag or "")
        said, path = field_of(row.name), settings.origin_of(row.name)
        found = changes.changed_value(said, name, field, word, path, parser)
        yield from (found,) if found else ()


def _refused(text: str, row: Setting, settings: Settings, table: Table) -> Diagnostic:
    name, path = field_of(row.name), settings.origin_of(row.name)
    legal = ", ".join(f"`{word}`" for word in row.spellings(settings.vendor)) or "none"
    differ = any(isinstance(word, Mapping) for word in row.values.values())
    where = f" on {settings.vendor}" if differ else ""
    message = f"{table.title} {settings.version} has no `{name}: {text}`{where}; it has {legal}"
    return Diagnostic("LD309", message, path, f"leave `{name}` out, or write another")


def _lacking(name: str, settings: Settings, table: Table) -> Iterator[Diagnostic]:
    path, use = settings.origin_of(name), field_of(name)
    if (noted := table.noted.get(name)) is None:
        message = f"{table.title} {settings.version} has no counterpart of `{use}`"
        if reason := table.lacking.get(name):
            message += f": {reason}"
        help = "leave it out, or take an engine that has it: see `llmdeploy engines`"
        yield Diagnostic("LD307", message, path, help)
    elif path[-1:] == (use.rpartition(".")[2],):  # stated, not derived
        yield Diagnostic(noted.code, noted.message, path)

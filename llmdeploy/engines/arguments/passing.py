"""`engine_args` on their way to the engine."""

from __future__ import annotations

from llmdeploy.diagnostics import Diagnostic
from llmdeploy.engines.arguments import words as spelled
from llmdeploy.engines.arguments.judge import Argument, judge
from llmdeploy.engines.arguments.parser import parser_of
from llmdeploy.engines.base import Settings
from llmdeploy.engines.flags import Words
from llmdeploy.engines.table import Table

_HELP = "write text, a number, a boolean, a list of these, or a mapping for a flag that takes JSON"


def add(settings: Settings, table: Table, words: Words) -> None:
    """Add `engine_args` in the order written."""
    parser = parser_of(table, settings.version)
    for found in judge(settings, table, parser):
        if isinstance(found, Diagnostic):
            words.diagnostics.append(found)
            continue
        try:
            _say(found, settings, table, words)
        except ValueError as reason:
            words.diagnostics.append(Diagnostic("LD313", f"`{found.key}` {reason}", found.path, _HELP))


def _say(argument: Argument, settings: Settings, table: Table, words: Words) -> None:
    if table.engine_args == "arguments":
        words.args += spelled.flags(argument)
    elif table.engine_args == "pairs":
        words.args += spelled.pair(argument)
    else:
        name, text = spelled.variable(argument)
        if name in settings.env:
            raise ValueError(f"is the variable `{name}`, which `env` sets too")
        words.env[name] = text

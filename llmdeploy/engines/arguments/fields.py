"""Flags that take JSON of which the compiler decides one field, and the user the others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from llmdeploy.diagnostics import Diagnostic, Note, Path
from llmdeploy.engines.arguments.spelling import split
from llmdeploy.engines.arguments.values import text_of
from llmdeploy.engines.base import Settings
from llmdeploy.engines.table import Table, field_of


def clash(key: str, name: str, value: Any, path: Path, settings: Settings, table: Table) -> Diagnostic | None:
    """Find what is wrong with the whole of a flag's JSON: it states our field, or would undo it.

    vLLM puts what stands behind dots together and appends it, so that of the two the whole is lost
    (vllm/utils/argparse_utils.py, parse_args).
    """
    stated = _stated(value)
    for mine, field in _of_compiler(name, table):
        if field in stated:
            message = f"`{key}.{field}` is `{mine}`, which llmdeploy decides"
            inside = (*path, field) if isinstance(value, Mapping) else path
            return Diagnostic("LD306", message, inside, table.owned_flags[mine])
        if (setting := _said(mine, settings, table)) is not None:
            message = f"the whole of `{key}` would undo `{field_of(setting)}`"
            fields = " and ".join(f"`{key}.{each}: {text_of(said)}`" for each, said in stated.items())
            note = Note(f"`{field_of(setting)}` is set here", settings.origin_of(setting))
            help = f"write {fields}" if fields else "leave it out"
            return Diagnostic("LD313", message, path, help, (note,))
    return None


def _of_compiler(name: str, table: Table) -> Iterator[tuple[str, str]]:
    for mine in table.owned_flags:
        flag, field = split(mine)
        if field and flag == name:
            yield mine, field


def _said(flag: str, settings: Settings, table: Table) -> str | None:
    """Return the setting that is compiled to a flag here."""
    return next(
        (name for name, row in table.settings.items() if row.flag == flag and name in settings.values), None
    )


def _stated(value: Any) -> Mapping[str, Any]:
    """Return the fields of a flag's JSON, which may be a text; what is no JSON is judged as a value."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}

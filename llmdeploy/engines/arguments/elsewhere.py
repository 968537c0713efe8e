"""Flags of other engines: what the one that runs calls the same setting."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from llmdeploy.catalog.flags import flag_table
from llmdeploy.catalog.meanings import same
from llmdeploy.engines.arguments.spelling import spellings
from llmdeploy.engines.table import Table, load


class Elsewhere(NamedTuple):
    """Another engine has this flag; here it is `help` (a field of llm.yaml), `flag`, or nothing that is known."""

    title: str
    help: str | None = None
    flag: str | None = None


def elsewhere(spelling: str, here: str) -> Elsewhere | None:
    """Return the best that is known of a flag that another engine has."""
    found = [each for table in _tables() if table.name != here for each in _in(table, spelling.lower(), here)]
    return max(found, key=lambda each: (each.help is not None, each.flag is not None), default=None)


def _in(table: Table, spelling: str, here: str) -> Iterator[Elsewhere]:
    if (help := table.owned_flags.get(spelling)) is not None:
        # What a flag is left to there is not left to it here.
        yield Elsewhere(table.title, help if help.startswith("use ") else None)
        return
    catalog = flag_table(table.name)
    for release in reversed(catalog.versions) if catalog else ():
        if (spelled := spellings(table.name, release).get(spelling)) is not None:
            yield Elsewhere(table.title, flag=same(table.name, spelled.flag.name).get(here))
            return


@cache
def _tables() -> tuple[Table, ...]:
    """Read every engine's table, not the engine: this needs no more than what they call things."""
    home = "llmdeploy.engines"
    found = sorted(each.name for each in files(home).iterdir() if (each / "engine.yaml").is_file())
    tables = (load(f"{home}.{name}") for name in found)
    return tuple(sorted(tables, key=lambda table: table.status != "maintained"))

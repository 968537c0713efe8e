"""An engine's parser at one version, as far as the catalog of flags knows it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from llmdeploy.catalog import versions
from llmdeploy.catalog.flags import FlagTable, flag_table
from llmdeploy.catalog.versions import order
from llmdeploy.engines.arguments.spelling import Spelled, spellings, split, stem
from llmdeploy.engines.arguments.values import Numbers
from llmdeploy.engines.table import Table


class Parser(Struct, frozen=True):
    """What an engine takes at `version`; `release` is the known one that speaks for it."""

    engine: str
    title: str
    version: str
    catalog: FlagTable
    release: str
    numbers: Numbers

    @property
    def known(self) -> Mapping[str, Spelled]:
        return spellings(self.engine, self.release)

    def find(self, spelling: str) -> Spelled | None:
        """Return the flag that a complete spelling names."""
        return self.known.get(spelling)

    def releases(self, spelling: str) -> list[str]:
        """Return the known releases that take a spelling, oldest first."""
        return [each for each in self.catalog.versions if spelling in spellings(self.engine, each)]

    def is_before(self, release: str) -> bool:
        """Whether another known release is older than the one that speaks for this version."""
        return order(release) < order(self.release)

    def after(self, releases: list[str]) -> str | None:
        """Return the first known release after the last of some; None for none."""
        versions = self.catalog.versions
        return versions[versions.index(releases[-1]) + 1] if releases else None


def owned(spelling: str, table: Table, parser: Parser | None, field: str = "") -> str | None:
    """Return the flag of the compiler's that a spelling means, through any alias or negation.

    Of some it owns one field of the JSON alone; then that `field` is asked for.
    """
    spelled = parser.find(spelling) if parser else None
    for mine in table.owned_flags:
        name, of_mine = split(mine)
        own = parser.find(name) if parser else None
        is_it = stem(spelling) == stem(name) or (own and spelled and own.flag is spelled.flag)
        if is_it and (not of_mine or f"{field}.".startswith(f"{of_mine}.")):
            return mine
    return None


def parser_of(table: Table, version: str) -> Parser | None:
    """Return what is known of the parser; None for an engine or a version that the catalog does not cover."""
    known, release = _catalog(table), judged_by(version, table)
    if known is None or release not in known.versions:
        return None
    numbers = Numbers(table.sizes, in_json=table.fields, is_rust=table.engine_args == "environment")
    return Parser(table.name, table.title, version, known, release, numbers)


def releases(table: Table) -> tuple[str, ...]:
    """Return every release that is known, oldest first: the verified ones, and those of the catalog."""
    known = _catalog(table)
    return tuple(sorted({*table.versions, *(known.versions if known else ())}, key=order))


def judged_by(version: str, table: Table) -> str | None:
    """Return the known release that has the flags of a version. Of a verified one it reads no catalog."""
    return version if version in table.versions else versions.judged_by(version, releases(table), table.line)


def _catalog(table: Table) -> FlagTable | None:
    """A Bento takes what its own source says, whatever OpenLLM's release."""
    return None if table.engine_args == "pairs" else flag_table(table.name)

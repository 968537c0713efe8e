"""Flags of the engines, release by release, as their own parsers state them.

flags/ENGINE.json has, for each flag, one record for each span of releases in which nothing about it changed:

    {"engine": "vllm",
     "releases": [{"version": "0.33.0", "how": "live", "source": "..."}, ...],      oldest first
     "flags": {"--max-model-len": [{"first": "0.18.1", "last": "0.33.0", "type": "int", ...}, ...]},
     "help": {"--max-model-len": "..."},                                            the newest release's words
     "registries": {"tool_parser": {"hermes": [["0.18.1", "0.33.0"]], ...}}}

`make catalogs` writes it; see scripts/catalogs/flags. It is read when the first question is asked: a spec
without `engine_args` never does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

_HERE = Path(__file__).with_name("flags")

Kind = Literal["value", "optional", "list", "append", "switch"]
"""What follows the flag: one value, one or none, several, one each time that it is given, nothing."""

Type = Literal["text", "int", "float", "bool", "json", "size"]
"""`size` is a number that may end in k, M and the like; `json` takes an object and, of vLLM, dotted keys."""


class Flag(Struct, frozen=True):
    """One flag in one release."""

    name: str
    """The full spelling that its own documentation uses: `--max-model-len`; a variable's name where there is no flag."""
    kind: Kind
    type: Type
    aliases: tuple[str, ...] = ()
    """Other full spellings with the same meaning, short and hidden ones included."""
    negations: tuple[str, ...] = ()
    """Spellings that mean the opposite: `--no-enable-x`, `--disable-x`."""
    hidden: tuple[str, ...] = ()
    """Those of the above that help does not show."""
    choices: tuple[str, ...] = ()
    """The only values that the parser takes; empty where it takes any of its type."""
    folded: bool = False
    """Whether the case of a choice, and `-` for `_`, make no difference."""
    default: Any = None
    deprecated: str | None = None
    """The engine's own words where it warns of this flag."""
    env: str | None = None
    """The variable that says the same."""
    bounds: Mapping[str, float] = {}
    """What the engine's own class asks of the number: ge, gt, le, lt. The parser takes any."""

    @property
    def spellings(self) -> tuple[str, ...]:
        return (self.name, *self.aliases, *self.negations)


class Release(Struct, frozen=True):
    version: str
    how: Literal["live", "source"]
    """From the parser itself, imported; or read in its source."""
    source: str


class FlagTable:
    """All that is known of one engine's flags."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.engine: str = data["engine"]
        self.releases = tuple(Release(**row) for row in data["releases"])
        self.help: Mapping[str, str] = data["help"]
        self._flags: Mapping[str, list[dict[str, Any]]] = data["flags"]
        self._registries: Mapping[str, Mapping[str, list[list[str]]]] = data["registries"]
        self._rank = {release.version: rank for rank, release in enumerate(self.releases)}
        self._at: dict[str, Mapping[str, Flag]] = {}

    @property
    def versions(self) -> tuple[str, ...]:
        """The releases that are known, oldest first."""
        return tuple(self._rank)

    def at(self, version: str) -> Mapping[str, Flag]:
        """Return the flags of a release by their full name. Raises KeyError for a release that is not known."""
        if version not in self._at:
            rank = self._rank[version]
            rows = (
                (name, row)
                for name, spans in self._flags.items()
                for row in spans
                if self._rank[row["first"]] <= rank <= self._rank[row["last"]]
            )
            self._at[version] = {name: _flag(name, row) for name, row in rows}
        return self._at[version]

    def find(self, spelling: str, version: str) -> Flag | None:
        """Return the flag that this spelling, complete and with its dashes, names in a release."""
        at = self.at(version)
        return at.get(spelling) or next((flag for flag in at.values() if spelling in flag.spellings), None)

    def spans(self, name: str) -> tuple[tuple[str, str], ...]:
        """Return the (first, last) releases that have the flag of this full name, joined where they touch."""
        joined: list[tuple[str, str]] = []
        for row in self._flags.get(name, ()):
            if joined and self._rank[joined[-1][1]] + 1 == self._rank[row["first"]]:
                joined[-1] = (joined[-1][0], row["last"])
            else:
                joined.append((row["first"], row["last"]))
        return tuple(joined)

    def names(self) -> tuple[str, ...]:
        """Return every flag of any release."""
        return tuple(self._flags)

    def registry(self, name: str, version: str) -> tuple[str, ...]:
        """Return the values that an engine looks up after parsing; empty where it has no such registry.

        Names: quantization, kv_cache_dtype, tool_parser, reasoning_parser, load_format, attention_backend.
        """
        rank = self._rank[version]
        return tuple(
            value
            for value, spans in self._registries.get(name, {}).items()
            if any(self._rank[first] <= rank <= self._rank[last] for first, last in spans)
        )


@cache
def flag_table(engine: str) -> FlagTable | None:
    """Return what is known of an engine's flags; None for an engine without a catalog."""
    path = _HERE / f"{engine}.json"
    return FlagTable(json.loads(path.read_bytes())) if path.is_file() else None


def _flag(name: str, row: Mapping[str, Any]) -> Flag:
    fields: dict[str, Any] = {key: value for key, value in row.items() if key not in ("first", "last")}
    for key in ("aliases", "negations", "hidden", "choices"):
        fields[key] = tuple(fields.get(key, ()))
    return Flag(name, **fields)

"""Fold the flags of an engine's releases into spans, and unfold one release again.

A dump is what one release has: {"flags": {name: record}, "registries": {name: [value]}}. The catalog, as
llmdeploy/catalog/flags.py reads it, has a record once for each span of releases in which it did not change.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from record import Record

Dump = Mapping[str, Any]
Catalog = dict[str, Any]


def merge(engine: str, releases: Sequence[tuple[Mapping[str, str], Dump]]) -> Catalog:
    """Fold releases, oldest first, each with its row (version, how, source)."""
    versions = [row["version"] for row, _ in releases]
    dumps = [dump for _, dump in releases]
    flags = {name: _spans(name, versions, dumps) for name in _names(dump["flags"] for dump in dumps)}
    # The newest wording alone, and apart: rewording a help text changes no flag.
    help = {
        name: record["help"] for dump in dumps for name, record in dump["flags"].items() if record.get("help")
    }
    registries = {
        registry: {
            value: _ranges(versions, [value in dump["registries"].get(registry, ()) for dump in dumps])
            for value in _names(dump["registries"].get(registry, ()) for dump in dumps)
        }
        for registry in _names(dump["registries"] for dump in dumps)
    }
    return {
        "engine": engine,
        "releases": [dict(row) for row, _ in releases],
        "flags": flags,
        "help": dict(sorted(help.items())),
        "registries": registries,
    }


def expand(catalog: Catalog, version: str) -> Dump:
    """Return what a release was merged from; help texts only where they are this release's own."""
    rank = {row["version"]: number for number, row in enumerate(catalog["releases"])}
    this, flags = rank[version], {}
    for name, spans in catalog["flags"].items():
        for span in spans:
            if rank[span["first"]] <= this <= rank[span["last"]]:
                record = {key: value for key, value in span.items() if key not in ("first", "last")}
                last = span is spans[-1] and span["last"] == version
                flags[name] = record | (
                    {"help": catalog["help"][name]} if last and name in catalog["help"] else {}
                )
    registries = {
        registry: sorted(
            value
            for value, ranges in values.items()
            if any(rank[first] <= this <= rank[last] for first, last in ranges)
        )
        for registry, values in catalog["registries"].items()
    }
    return {"flags": flags, "registries": registries}


def text(catalog: Catalog) -> str:
    """Write a catalog with one record a line, so that a review sees which changed."""
    one = _one_line
    releases = ",\n".join(one(row) for row in catalog["releases"])
    flags = ",\n".join(
        f"{one(name)}:[\n" + ",\n".join(one(span) for span in spans) + "]"
        for name, spans in catalog["flags"].items()
    )
    registries = ",\n".join(
        f"{one(name)}:{{\n" + _lines(values) + "}" for name, values in catalog["registries"].items()
    )
    return (
        f'{{"engine":{one(catalog["engine"])},\n"releases":[\n{releases}],\n"flags":{{\n{flags}}},\n'
        f'"help":{{\n{_lines(catalog["help"])}}},\n"registries":{{\n{registries}}}}}\n'
    )


def _spans(name: str, versions: Sequence[str], dumps: Sequence[Dump]) -> list[Record]:
    spans: list[Record] = []
    before: Record | None = None
    for version, dump in zip(versions, dumps, strict=True):
        record = dump["flags"].get(name)
        bare = None if record is None else {key: value for key, value in record.items() if key != "help"}
        if bare is not None and _same(bare, before):
            spans[-1]["last"] = version
        elif bare is not None:
            spans.append({"first": version, "last": version, **bare})
        before = bare
    return spans


def _same(one: Record, other: Record | None) -> bool:
    """Equal as JSON: in Python 1 is True and 1.0."""
    return other is not None and _one_line(one) == _one_line(other)


def _ranges(versions: Sequence[str], has: Sequence[bool]) -> list[list[str]]:
    ranges: list[list[str]] = []
    before = False
    for version, now in zip(versions, has, strict=True):
        if now and before:
            ranges[-1][1] = version
        elif now:
            ranges.append([version, version])
        before = now
    return ranges


def _names(groups: Iterable[Iterable[str]]) -> list[str]:
    return sorted({name for group in groups for name in group})


def _lines(values: Mapping[str, Any]) -> str:
    return ",\n".join(f"{_one_line(key)}:{_one_line(value)}" for key, value in values.items())


def _one_line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))

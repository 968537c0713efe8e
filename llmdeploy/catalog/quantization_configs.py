"""What an engine wants of a checkpoint's own `quantization_config`. The rows are those of quantization_configs.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from msgspec import Struct, field

from llmdeploy.catalog.rows import rows
from llmdeploy.catalog.versions import within


class Wanted(Struct, frozen=True):
    """Of one `method`, or (`knows`) which methods there are; scripts/catalogs/quantization_configs.yaml has the words."""

    engine: str
    source: str
    method: str | None = None
    knows: Sequence[str] = ()
    needs: Sequence[str] = ()
    takes: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    since: str | None = None
    until: str | None = None

    def complaints(self, stated: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield what the engine would refuse, as the end of a sentence about the mapping, and what to do."""
        for need in self.needs:
            names = need.split("|")
            if not any(name in stated for name in names):
                yield (
                    f"has no `{names[0]}`",
                    f"add `{names[0]}` with the value that the weights were quantized with",
                )
        for name, values in self.takes.items():
            # `True` is no 1 here: both are values of config.json, and not the same.
            if name in stated and not any(
                type(stated[name]) is type(v) and stated[name] == v for v in values
            ):
                listed = " or ".join(f"`{_json(value)}`" for value in values)
                yield f"has `{name}: {_json(stated[name])}`, where it takes {listed} alone", ""


def wanted(engine: str, version: str, method: str) -> Wanted | None:
    """Return what a release wants of a method's mapping; None where that is not known."""
    return next((row for row in _of(engine, version) if row.method == method), None)


def known_methods(engine: str, version: str) -> Wanted | None:
    """Return which methods a release knows; None where that is not known."""
    return next((row for row in _of(engine, version) if row.knows), None)


def _of(engine: str, version: str) -> Iterator[Wanted]:
    return (row for row in _all() if row.engine == engine and within(version, row.since, row.until))


@cache
def _all() -> tuple[Wanted, ...]:
    return tuple(Wanted(**row) for row in rows("quantization_configs"))


def _json(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

"""What each engine does about quantization, release by release. The rows are those of quantization.json."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from msgspec import Struct

from llmdeploy.catalog.hub import words
from llmdeploy.catalog.rows import rows
from llmdeploy.catalog.versions import within


class Method(Struct, frozen=True):
    """One way to run quantized weights, or the reason why there is none.

    `make` quantizes plain weights while it loads them, to what llm.yaml calls `word`; `load` takes a
    checkpoint of a `format`; `lacks` says of a `word` why it does neither. scripts/catalogs/quantization.yaml says what each field is.
    """

    does: Literal["make", "load", "lacks"]
    source: str
    nvidia: tuple[int, int] | None
    """Compute capability, least and greatest, as engines count it: 89 for 8.9."""
    amd: tuple[str, ...] | None
    """LLVM targets; empty: any."""
    cpu: bool
    word: str | None = None
    format: str | None = None
    flag: str | None = None
    native: int | None = None
    dtypes: tuple[str, ...] = ()
    experts_only: bool = False
    auto_dtype: bool = False
    package: str | None = None
    because: str | None = None
    since: str | None = None
    until: str | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """What of llm.yaml's words this is for; a checkpoint's bits, where they matter, are not known here."""
        return (self.word,) if self.word is not None else words(self.format)

    def runs_on(self, vendor: str, sm: int | None, arch: str | None) -> bool:
        """Tell whether an accelerator can do it; where the capability or target is not known, it may."""
        if vendor == "nvidia":
            return self.nvidia is not None and (sm is None or self.nvidia[0] <= sm <= self.nvidia[1])
        if vendor == "amd":
            return self.amd is not None and (not self.amd or arch is None or arch in self.amd)
        return vendor == "cpu" and self.cpu


def methods(engine: str, version: str) -> tuple[Method, ...]:
    """Return what a release can do; nothing where the engine is not in the table."""
    return tuple(method for method in _all().get(engine, ()) if within(version, method.since, method.until))


def formats() -> frozenset[str]:
    """The formats that some engine loads. Of another one nothing is known, so nothing is said."""
    return frozenset(method.format for all in _all().values() for method in all if method.format)


@cache
def _all() -> Mapping[str, tuple[Method, ...]]:
    found: dict[str, list[Method]] = {}
    for row in rows("quantization"):
        found.setdefault(row.pop("engine"), []).append(_method(row))
    return {engine: tuple(methods) for engine, methods in found.items()}


_GREATEST = 999


def _method(row: dict[str, Any]) -> Method:
    runs = row.pop("runs", {})
    sm, amd = runs.get("nvidia"), runs.get("amd")
    return Method(
        nvidia=None if sm is None else (sm[0], sm[1]) if isinstance(sm, list) else (sm, _GREATEST),
        amd=None if amd is None else () if amd is True else tuple(amd),
        cpu=runs.get("cpu", False),
        dtypes=tuple(row.pop("dtypes", ())),
        **row,
    )

"""What `engine_args` and `env` change of an engine's memory: rows say which of them its equation knows, and which it does not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from msgspec import Struct

from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.model import Question
from llmdeploy.memory.stage import CPU, Read

Effect = Literal["modelled", "unknown", "none"]


class Option(Struct, frozen=True):
    """One flag, a field of its JSON (behind a dot), or a variable, where a question has all traits of `where`.

    modelled: the equation asks for it. unknown: it can change the answer, and no equation says by how much. none: it sounds
    like memory, and is none of what the ledger counts. `because` goes on a sentence about the name.
    """

    name: str
    effect: Effect
    because: str
    source: str
    where: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    """Values that change nothing, beside the engine's own default."""


class Stated(Struct, frozen=True):
    """A value that llm.yaml states; `usual`: it is the engine's own default."""

    value: Any
    usual: bool = False


class Said(Struct, frozen=True):
    """What is stated, by full names: flags without dashes, variables in capitals."""

    stated: Mapping[str, Stated]

    def value(self, name: str) -> Any:
        found = self.stated.get(name)
        return None if found is None else found.value

    def switch(self, name: str) -> bool | None:
        value = self.value(name)
        return value if isinstance(value, bool) else None

    def on(self, name: str) -> bool:
        """Tell whether a switch is given."""
        return self.switch(name) is True

    def whole(self, name: str) -> int | None:
        return whole(self.value(name))

    def real(self, name: str) -> float | None:
        value = self.value(name)
        good = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
        return min(float(value), float(_MOST)) if good else None

    def word(self, name: str) -> str | None:
        """Return a word, unless it leaves the choice to the engine."""
        return word(self.value(name))

    def fields(self, name: str) -> Mapping[str, Any]:
        """Return the fields of a flag's JSON."""
        value = self.value(name)
        return value if isinstance(value, Mapping) else {}


_MOST = 1 << 60


def whole(value: Any) -> int | None:
    """Return a size, and no more of it than anything has."""
    good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return min(int(value), _MOST) if good else None


def wholes(value: Any) -> tuple[int, ...] | None:
    """Return the numbers of a list, or of one number; None where there are none."""
    each = value if isinstance(value, (list, tuple)) else [value]
    return tuple(size for one in each if (size := whole(one)) is not None) or None


def word(value: Any) -> str | None:
    return None if value is None or plain(value) == "auto" else plain(value)


def plain(value: Any) -> str:
    """Return a value as rows write it: `true`, `none`, `0`."""
    return str(value).strip().lower()


class Options(Struct, frozen=True):
    """The rows of one engine; of those that hold for a name, the first is taken."""

    rows: Mapping[str, tuple[Option, ...]]

    def of(self, name: str, traits: Iterable[str]) -> Option | None:
        """Return the row of a name; of a field that has none, the flag's own."""
        has = frozenset(traits)
        rows = self.rows.get(name) or self.rows.get(name.partition(".")[0], ())
        return next((row for row in rows if has.issuperset(row.where)), None)

    def check(self, said: Said, traits: Iterable[str]) -> None:
        """Raise `UnmodelledError` for the first that the equation does not know."""
        for name, stated in said.stated.items():
            for each, value in self._fields(name, stated.value):
                row = self.of(each, traits)
                if row is None or row.effect != "unknown" or stated.usual or plain(value) in row.unless:
                    continue
                raise UnmodelledError("option", f"`{each}` {row.because}, which is not modelled")

    def _fields(self, name: str, value: Any) -> Iterator[tuple[str, Any]]:
        """Yield a flag, or the fields of its JSON where rows speak of single ones."""
        if isinstance(value, Mapping) and any(row.startswith(f"{name}.") for row in self.rows):
            yield from ((f"{name}.{field}", inner) for field, inner in value.items())
        else:
            yield name, value


def options(data: Mapping[str, Any]) -> Options:
    """Read what an engine's options.yaml holds."""
    rows: dict[str, tuple[Option, ...]] = {}
    for row in data["options"]:
        for name in row["names"]:
            option = Option(
                name=name,
                effect=row["effect"],
                because=row["because"],
                source=data["sources"][row["source"]],
                where=tuple(row.get("where", ())),
                unless=tuple(row.get("unless", ())),
            )
            rows[name] = (*rows.get(name, ()), option)
    return Options(rows)


@cache
def of_engine(package: str) -> Options:
    """Return the rows of an engine's package."""
    return options(json.loads((files(package) / "options.json").read_bytes()))


def traits_of(question: Question, known: Read) -> frozenset[str]:
    """Name what a question is about, for rows that hold for some models, cards or splits alone."""
    made, split, kinds = known.shape, question.split, {c.cache.kind for c in known.shape.layers if c.cache}
    found = {
        question.card.vendor: True,
        "gpu": question.card.vendor != CPU,
        "moe": made.moe is not None,
        "mxfp4": made.family == "gpt-oss",
        "windows": bool(kinds & {"sliding", "chunked"}),
        "states": "state" in kinds,
        "latent": "latent" in kinds,
        "sees": bool(made.vision),
        "quantized": known.scheme.name != "plain",
        "generates": not question.embed,
        "drafts": question.drafter is not None,
        "adapts": question.adapters is not None,
        "many": split.tensor > 1,
        "staged": split.pipeline > 1,
        "copied": split.data > 1,
    }
    return frozenset(name for name, holds in found.items() if holds)

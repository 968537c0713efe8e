"""Numbers that a parser takes and the engine then refuses: in a class of its own, or where it computes with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from llmdeploy.catalog.flag_bounds import Bound
from llmdeploy.catalog.flag_bounds import bounds as rows_of
from llmdeploy.catalog.flags import Flag
from llmdeploy.engines.arguments.parser import Parser
from llmdeploy.engines.arguments.values import Fault, text_of


class Beside(Struct, frozen=True):
    """What else a bound may rest on: the vendor of the accelerator, and all of `engine_args`."""

    vendor: str
    engine_args: Mapping[str, Any]


class Limits(Struct, frozen=True):
    """What a number must be; the words are pydantic's."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    multiple: float | None = None

    def hold(self, number: float) -> bool:
        """Tell whether they hold. Of what is no number none does."""
        return (
            (self.ge is None or number >= self.ge)
            and (self.gt is None or number > self.gt)
            and (self.le is None or number <= self.le)
            and (self.lt is None or number < self.lt)
            and (self.multiple is None or number % self.multiple == 0)
        )

    def words(self, whole: bool) -> str:
        """Say what they ask for. `whole`: of a number without decimals."""
        least = self.gt + 1 if whole and self.gt is not None else self.ge
        if least is not None and self.le is not None:
            return f"{least:g} to {self.le:g}"
        if self.multiple is not None:
            return f"a multiple of {self.multiple:g}"
        said = []
        if least is not None:
            said.append(f"{least:g} or more")
        elif self.gt is not None:
            said.append(f"more than {self.gt:g}")
        said += [] if self.le is None else [f"at most {self.le:g}"]
        said += [] if self.lt is None else [f"less than {self.lt:g}"]
        return " and ".join(said)


def fault(value: Any, flag: Flag, beside: Beside, parser: Parser, field: str = "") -> Fault | None:
    """Return what the engine would find wrong with a number that its parser takes; a `field` is one of the flag's JSON."""
    whole = flag.type in ("int", "size") or bool(field)
    for limits, because in _all(flag, beside, parser, field.replace("-", "_")):
        for text in map(text_of, value if isinstance(value, list) else [value]):
            number = _number(text, parser)
            if number is not None and not limits.hold(number):
                wanted = limits.words(whole)
                return Fault(f"takes {wanted}, not `{text}`", f"write {wanted}{because}")
    return None


def faults(
    value: Any, flag: Flag, beside: Beside, parser: Parser, field: str = ""
) -> Iterator[tuple[str, Fault]]:
    """Yield what is wrong with a flag's value, or with the fields of its JSON, each by its name behind a dot."""
    named = value.items() if isinstance(value, Mapping) and not field else [(field, value)]
    for name, inner in named:
        if (found := fault(inner, flag, beside, parser, str(name))) is not None:
            yield str(name), found


def _all(flag: Flag, beside: Beside, parser: Parser, field: str) -> Iterator[tuple[Limits, str]]:
    """Yield what rows ask for, with the reason as the end of a sentence, then what its own class does, which is less."""
    for row in rows_of(parser.engine, flag.env or flag.name):
        if row.field == field and _holds(row, beside):
            limits = Limits(row.ge, row.gt, row.le, row.lt, row.multiple)
            yield limits, f": {row.because}" if row.because else ""
    if flag.bounds and not field:
        yield Limits(**flag.bounds), ""


def _holds(row: Bound, beside: Beside) -> bool:
    given = {key.lstrip("-").replace("_", "-") for key, value in beside.engine_args.items() if value is True}
    return (not row.vendors or beside.vendor in row.vendors) and row.unless not in given


def _number(text: str, parser: Parser) -> float | None:
    """Read a number as the parser does; None where it is another thing, like `auto`."""
    found = re.fullmatch(r"(.*?[0-9.])([A-Za-z]*)", text.strip())
    sized = found is not None and found[2] in parser.numbers.sizes
    try:
        return float(found[1]) * parser.numbers.sizes[found[2]] if found and sized else float(text)
    except ValueError:
        return None

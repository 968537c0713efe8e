"""The spellings of flags: which one a key of `engine_args` means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from msgspec import Struct

from llmdeploy.catalog.flags import Flag, flag_table

_NAME = re.compile(r"-{0,2}[A-Za-z][A-Za-z0-9_.-]*")


class Spelled(Struct, frozen=True):
    """A flag as one of its spellings names it; `text` is how the parser wants that one."""

    flag: Flag
    text: str

    @property
    def negated(self) -> bool:
        return self.text in self.flag.negations


def is_name(key: str) -> bool:
    return _NAME.fullmatch(key) is not None


def split(key: str) -> tuple[str, str]:
    """Return the flag, with its dashes, and the field of its value that stands behind a dot."""
    name, _, field = key.partition(".")
    return (name if name.startswith("-") else f"--{name}").replace("_", "-"), field


def bare(spelling: str) -> str:
    """Return a flag as a key of llm.yaml."""
    return spelling.removeprefix("--")


def stem(key: str) -> str:
    """Reduce the spellings of a flag to one: `--no-enable-x`, `disable_x` and `enable-x.key` are `x`."""
    name = key.lstrip("-").replace("_", "-").partition(".")[0]
    return re.sub(r"^(no-)?(enable-|disable-)?(?=.)", "", name)


@cache
def spellings(engine: str, release: str) -> Mapping[str, Spelled]:
    """Return every spelling that a release takes, dashes for underscores; a variable is spelled as a flag, too."""
    table = flag_table(engine)
    found: dict[str, Spelled] = {}
    for flag in table.at(release).values() if table else ():
        for text in flag.spellings:
            found[text.replace("_", "-") if text.startswith("-") else _as_flag(text)] = Spelled(flag, text)
        if flag.env is not None:
            found.setdefault(_as_flag(flag.env), Spelled(flag, flag.name))
    return found


def completions(spelling: str, known: Mapping[str, Spelled]) -> list[str]:
    """Return the flags that argparse would complete this to, each by its full name."""
    if not spelling.startswith("--"):
        return []
    return list(dict.fromkeys(each.text for full, each in known.items() if full.startswith(spelling)))


def _as_flag(variable: str) -> str:
    return "--" + variable.lower().replace("_", "-")

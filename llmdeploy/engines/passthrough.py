"""`engine_args` and `env`: what a user hands to the engine past the neutral settings.

What the compiler decides itself may not come back this way, in any spelling.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from llmdeploy.diagnostics import Diagnostic, Path
from llmdeploy.engines.base import Settings
from llmdeploy.engines.flags import Words
from llmdeploy.engines.table import Table
from llmdeploy.numbers import PlainNumber

_FLAG = re.compile(r"-{0,2}[A-Za-z][A-Za-z0-9_.-]*")
_HELP = "write text, a number, a boolean, a list of these, or a mapping for a flag that takes JSON"


def add(settings: Settings, table: Table, words: Words) -> None:
    """Add `engine_args` in the order written."""
    for key, value, path in _accepted(settings, table, words):
        try:
            if table.engine_args == "arguments":
                words.args += _argument(_flag(key), value, table)
            elif table.engine_args == "environment":
                words.env[_variable(key, settings)] = _joined(value)
            else:
                words.args += ["--arg", _pair(key, value)]
        except ValueError as reason:
            words.diagnostics.append(Diagnostic("LD313", f"`{key}` {reason}", path, _HELP))


def owned_variables(settings: Settings, table: Table) -> Iterator[Diagnostic]:
    """Find the compiler's variables in `env`."""
    for name in settings.env:
        if name in table.owned_env:
            path = (*settings.origin, "env", name)
            yield Diagnostic("LD306", f"`{name}` is decided by llmdeploy", path, table.owned_env[name])


def stem(flag: str) -> str:
    """Reduce the spellings of a flag to one: `--no-enable-x`, `disable_x` and `enable-x.key` are `x`."""
    bare = flag.lstrip("-").replace("_", "-").partition(".")[0]
    return re.sub(r"^(no-)?(enable-|disable-)?(?=.)", "", bare)


def _accepted(settings: Settings, table: Table, words: Words) -> Iterator[tuple[str, Any, Path]]:
    """Yield those arguments that are flags, are given once and are not the compiler's."""
    seen: dict[str, str] = {}
    for key, value in settings.engine_args.items():
        path = (*settings.origin, "engine_args", key)
        if _FLAG.fullmatch(key) is None:
            finding = Diagnostic("LD313", f"`{key}` is not the name of a flag", path, "write `name: value`")
        elif (mine := _owned(key, table)) is not None:
            message = f"`{key}` is `{mine}`, which llmdeploy decides"
            finding = Diagnostic("LD306", message, path, table.owned_flags[mine])
        elif (other := seen.setdefault(_identity(key), key)) != key:
            finding = Diagnostic("LD313", f"`{key}` and `{other}` are one flag", path, "keep one of the two")
        else:
            yield key, value, path
            continue
        words.diagnostics.append(finding)


def _owned(key: str, table: Table) -> str | None:
    """Return the flag of the compiler's that this key spells."""
    for mine in table.owned_flags:
        if stem(key) == stem(mine):
            return mine
    # argparse completes a unique beginning; which ones are unique changes with every release.
    beginning = "--" + key.lstrip("-").replace("_", "-")
    completed = (mine for mine in table.owned_flags if mine.startswith(beginning))
    return next(completed, None) if table.abbreviations else None


def _identity(key: str) -> str:
    """Reduce a key so that two spellings of one flag are equal; `x.a` and `x.b` stay two."""
    _, dot, rest = key.partition(".")
    return stem(key) + dot + rest.replace("_", "-")


def _flag(key: str) -> str:
    """Return the flag as it is written; what stands behind a dot is a field of the flag's value, not a flag."""
    name, dot, field = key.partition(".")
    return (name if name.startswith("-") else f"--{name}").replace("_", "-") + dot + field


def _argument(flag: str, value: Any, table: Table) -> list[str]:
    if isinstance(value, bool) and "." in flag:
        return [flag, _text(value)]
    if value is True:
        return [flag]
    if value is False:
        if not table.negation:
            raise ValueError("is false, and the engine's switches can only be given or left out")
        return ["--no-" + flag.lstrip("-")]
    if isinstance(value, list):
        texts = [_text(one) for one in value]
        if not texts or any(text.startswith("-") for text in texts):
            raise ValueError("is a list that is empty or has a value that begins with `-`")
        return [flag, *texts]
    text = _text(value)
    # A value that begins with a dash would be read as the next flag.
    return [f"{flag}={text}"] if text.startswith("-") else [flag, text]


def _variable(key: str, settings: Settings) -> str:
    """Return the variable that an engine which is driven by its environment reads for a flag."""
    name = key.lstrip("-").replace("-", "_").upper()
    if name in settings.env:
        raise ValueError(f"is the variable `{name}`, which `env` sets too")
    return name


def _pair(key: str, value: Any) -> str:
    """Return an argument of a Bento; bentoml 1.4 splits values at commas."""
    if isinstance(value, Mapping | list) or "," in _text(value):
        raise ValueError("is a list, a mapping or has a comma, which the engine cannot take")
    return f"{key.lstrip('-').replace('-', '_')}={_text(value)}"


def _joined(value: Any) -> str:
    if isinstance(value, Mapping):
        raise ValueError("is a mapping, which the engine cannot take")
    return ",".join(_text(one) for one in (value if isinstance(value, list) else [value]))


def _text(value: Any) -> str:
    if value is None:
        raise ValueError("has no value")
    if isinstance(value, PlainNumber):
        return value.text
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping | list):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return str(value)

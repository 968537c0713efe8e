"""Which flag a key of `engine_args` or a variable means."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from llmdeploy.catalog.flags import Flag, flag_table
from llmdeploy.catalog.meanings import folded, meanings_of
from llmdeploy.engines.table import Setting, Table
from llmdeploy.rewrite.convert import text_of

_OWN = {
    "vllm": ("VLLM_",),
    "sglang": ("SGLANG_", "SGL_"),
    "tgi": ("TGI_",),
    "openllm": ("OPENLLM_", "BENTOML_"),
}
"""How the variables begin that one engine alone reads."""

_SHARED = re.compile(r"(HF|HUGGING_?FACE|CUDA|NVIDIA|NCCL|PYTORCH|TORCH|OMP|ZE|RANK|WORLD|DEBUG)")
"""Variables of libraries, which the catalog of TGI lists as well because TGI reads them itself."""


class Named(NamedTuple):
    """A flag by its full name, or a variable; `value` is what the name itself is given, not its opposite."""

    name: str
    value: Any
    setting: Setting | None
    """The neutral setting that it spells, by `word`."""
    word: Any


def named(key: str, value: Any, table: Table) -> Named:
    """Find out what a key means in the engine of `table`."""
    if key.isupper() and table.engine_args != "environment":
        name, value = key, value
    else:
        name, value = _flag(key, value, table)
    found: list[Named] = []
    for setting in table.settings.values():
        for spelled in (*setting.spelled, setting.env):
            if spelled is None:
                continue
            full, word = _flag(spelled, True, table)
            if folded(full) == folded(name):
                opposite = word is False and isinstance(value, bool)
                found.append(Named(name, value, setting, not value if opposite else value))
                break
    # Two fields may share a flag: its word tells which is meant.
    told = (each for each in found if each.setting and _has(each.setting, each.word))
    return next(told, found[0] if found else Named(name, value, None, value))


def _has(setting: Setting, word: Any) -> bool:
    """Tell whether a word is one that this setting would write."""
    if setting.values:
        words = ([each] if isinstance(each, str) else each.values() for each in setting.values.values())
        return any(text_of(word) in each for each in words)
    return setting.set is None or text_of(word) == setting.set


def known(name: str, table: Table) -> Flag | None:
    """Return a flag of an engine's newest release by any of its spellings."""
    flags = flag_table(table.name)
    return flags.find(name, flags.versions[-1]) if flags else None


def is_own(name: str, table: Table) -> bool:
    """Tell whether this engine alone reads a variable."""
    if name.startswith(_OWN.get(table.name, ())) or meanings_of(table.name, name):
        return True
    if any(name in (setting.env, *setting.also_env) for setting in table.settings.values()):
        return True
    flags = flag_table(table.name) if table.engine_args == "environment" else None
    if flags is None or _SHARED.match(name):
        return False
    return name in flags.names() or known(_dashed(name), table) is not None


def _flag(key: str, value: Any, table: Table) -> tuple[str, Any]:
    """Return the full name; `--no-x: true` is `--x: false`."""
    spelling, dot, inner = key.partition(".")
    dashed = spelling.replace("_", "-") if spelling.startswith("-") else _dashed(spelling)
    flag = known(dashed, table)
    if flag is None:
        return dashed + dot + inner, value
    negated = dashed in flag.negations and isinstance(value, bool)
    return flag.name + dot + inner, not value if negated else value


def _dashed(name: str) -> str:
    return "--" + name.lstrip("-").replace("_", "-").lower()

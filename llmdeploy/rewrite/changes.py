"""What is no longer the same about a flag that two releases have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdeploy.catalog.flag_changes import Change, change, changed_values
from llmdeploy.catalog.flags import Flag
from llmdeploy.catalog.versions import order
from llmdeploy.engines.arguments.parser import Parser
from llmdeploy.rewrite.convert import text_of
from llmdeploy.rewrite.report import Item, Kind


def changes(
    subject: str, inner: str, value: Any, was: Flag | None, now: Flag, after: Parser, before: Parser | None
) -> Iterator[Item]:
    """Yield what is no longer the same about a flag that both releases have."""
    for one in changed_values(after.engine, now.name):
        if _speaks_of(one, inner, value) and _between(one.removed or one.deprecated, before, after):
            gone = "is no longer taken" if one.removed else f"is deprecated{_until(one)}"
            yield Item(Kind.CHANGED, subject, None, f"`{one.value}` {gone}: {one.help}", one.source)
    if was is None:
        return
    if was.deprecated is None and now.deprecated is not None:
        row = change(after.engine, now.name)
        yield Item(Kind.CHANGED, subject, None, f"deprecated: {row.help}" if row else now.deprecated)
    if (was.kind, was.type) != (now.kind, now.type) and not _is_wider(was, now):
        yield Item(Kind.CHANGED, subject, None, f"it takes {_takes(now)}; it took {_takes(was)}")
    lost = [text for text in _texts(value) if text in was.choices and now.choices and text not in now.choices]
    if lost:
        legal = ", ".join(f"`{each}`" for each in now.choices)
        yield Item(Kind.CHANGED, subject, None, f"`{lost[0]}` is no longer taken; {legal} are")
    if not inner and was.default != now.default and _is(value, now.default):
        yield Item(Kind.SPARE, subject, None, "it is the default now")


def _is_wider(was: Flag, now: Flag) -> bool:
    """Tell whether what was taken still is: a size may have a suffix, and need not."""
    return was.kind == now.kind and (was.type, now.type) == ("int", "size")


def _texts(value: Any) -> list[str]:
    return [text_of(one) for one in (value if isinstance(value, list) else [value])]


def _is(value: Any, default: Any) -> bool:
    return (
        default is not None
        and isinstance(value, bool) == isinstance(default, bool)
        and bool(value == default)
    )


def _takes(flag: Flag) -> str:
    many = {"optional": "perhaps ", "list": "a list of ", "append": "several of "}.get(flag.kind, "")
    return "nothing, being a switch" if flag.kind == "switch" else f"{many}{flag.type}"


def _speaks_of(row: Change, inner: str, value: Any) -> bool:
    if row.field is not None and not inner:
        value = value.get(row.field) if isinstance(value, Mapping) else None
    elif (row.field or "") != inner:
        return False
    return value is not None and row.value in _texts(value)


def _between(version: str | None, before: Parser | None, after: Parser) -> bool:
    """Tell whether a release lies on the way, the new one included."""
    if version is None or order(version) > order(after.version):
        return False
    return before is None or order(before.version) < order(version)


def _until(row: Change) -> str:
    return f", and to go in {row.until}" if row.until else ""

"""Help for a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable

from llmdeploy.diagnostics.suggest import MANY, closest


def names(values: Iterable[str]) -> str:
    """Return the values in backticks, in their order."""
    return ", ".join(f"`{value}`" for value in values)


def one_of(wrong: str, known: Iterable[str], what: str, further: str = "") -> str:
    """Return help that says which name was probably meant, and the legal ones where they are not too many."""
    options = list(known)
    meant = closest(wrong, options)
    hint = f"did you mean `{meant}`?" if meant else ""
    listed = f"{what}: {names(options)}" if options else f"this file has no {what} yet"
    if meant and len(options) > MANY:
        listed = ""
    help = f"{hint} {listed}".strip()
    return help if not further else f"{help}{'' if help.endswith('?') else ';'} {further}"

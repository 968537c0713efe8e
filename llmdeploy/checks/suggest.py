"""Did you mean …?"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def names(values: Iterable[str]) -> str:
    """Return the values in backticks, in their order."""
    return ", ".join(f"`{value}`" for value in values)


def one_of(wrong: str, known: Iterable[str], what: str) -> str:
    """Return help that lists the legal values and says which one was probably meant."""
    options = list(known)
    if not options:
        return f"there is no {what} in this file yet; add one"
    close = difflib.get_close_matches(wrong.lower(), options, n=1)
    hint = f"did you mean `{close[0]}`? " if close else ""
    return f"{hint}{what}: {names(options)}"

"""Did you mean? The one matcher of names, and its words."""

from __future__ import annotations

from collections.abc import Iterable

MANY = 12


def closest(written: str, names: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the name that was probably meant; `cutoff` is how alike it must be, from 0 to 1."""
    import difflib  # only a mistake needs it

    known = {name.lower().replace("-", "_"): name for name in names}
    found = difflib.get_close_matches(written.lower().replace("-", "_"), known, n=1, cutoff=cutoff)
    return known[found[0]] if found else None


def question(meant: str) -> str:
    """Return the help that offers the name that was probably meant."""
    return f"did you mean `{meant}`?"


def listed(names: Iterable[str]) -> str:
    """Return names for a sentence: `a`, `b` or `c`."""
    quoted = [f"`{name}`" for name in names]
    return (
        quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + f" or {quoted[-1]}" if quoted else "none"
    )


def did_you_mean(written: str, names: Iterable[str], further: str = "") -> str:
    """Return a help: the name that was probably meant, or the legal ones; `further` is another way out."""
    names = list(names)
    meant = closest(written, names)
    if meant is not None:
        others = len(names) <= MANY and names != [meant]
        help = question(meant) + (f" legal: {listed(names)}" if others else "")
    else:
        help = f"write {listed(names)}" if names else "there is none yet"
    return help if not further else f"{help}{'' if help.endswith('?') else ';'} {further}"

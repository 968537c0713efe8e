"""What was probably meant by a key that no flag answers to."""

from __future__ import annotations

from llmdeploy.catalog.flag_changes import change
from llmdeploy.diagnostics import Diagnostic, Note, Path, Place
from llmdeploy.diagnostics.suggest import closest
from llmdeploy.engines.arguments.changes import gone_or_to_come, source
from llmdeploy.engines.arguments.elsewhere import elsewhere
from llmdeploy.engines.arguments.parser import Parser, owned
from llmdeploy.engines.arguments.spelling import bare, completions
from llmdeploy.engines.table import Table


def finding(key: str, spelling: str, path: Path, table: Table, parser: Parser) -> Diagnostic:
    """Say what is wrong with a key of `engine_args` that this version has no flag for."""
    if (found := gone_or_to_come(key, spelling, path, parser)) is not None:
        return found
    completed = completions(spelling, parser.known) if table.abbreviations else []
    # argparse completes a unique beginning; which ones are unique changes with every release.
    for each in completed:
        if (mine := owned(each, table, parser)) is not None:
            message = f"`{key}` is `{mine}`, which llmdeploy decides"
            return Diagnostic("LD306", message, path, table.owned_flags[mine])
    if completed:
        message = f"`{key}` is an abbreviation, which the next release may read otherwise or not at all"
        help = "write " + " or ".join(f"`{bare(each)}`" for each in completed)
        return Diagnostic("LD320", message, path, help, place=Place.KEY)
    message = f"{parser.title} {parser.version} has no flag `{key}`"
    help, notes = _meant(spelling, table, parser)
    return Diagnostic("LD316", message, path, help, notes, place=Place.KEY)


def _meant(spelling: str, table: Table, parser: Parser) -> tuple[str, tuple[Note, ...]]:
    """Return what to write instead: by what the flag means elsewhere, else by how it is spelled."""
    if (row := change(parser.engine, spelling)) is not None:
        return row.help, source(row)
    other = elsewhere(spelling, parser.engine)
    notes = (Note(f"it is a flag of {other.title}"),) if other else ()
    if other and other.help:
        return other.help, notes
    if other and other.flag:
        return f"write {_named(other.flag, table, parser)}", notes
    # A dash alone tells `tp` from `-tp`.
    names = {known.lstrip("-"): spelled.text for known, spelled in parser.known.items()}
    likeness = 0.9 if other else 0.8
    meant = closest(spelling.lstrip("-"), names, likeness)
    return f"did you mean {_named(names[meant], table, parser)}?" if meant else "leave it out", notes


def _named(flag: str, table: Table, parser: Parser) -> str:
    """Return a flag as a key of `engine_args`; where the compiler decides it, with what to do instead."""
    mine = owned(flag, table, parser)
    decided = f", which llmdeploy decides ({table.owned_flags[mine]})" if mine else ""
    return f"`{bare(flag)}`{decided}"

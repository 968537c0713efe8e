"""`llmdeploy engines`"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click
from msgspec.structs import asdict

from llmdeploy.cli import common

if TYPE_CHECKING:
    from llmdeploy.cli.comparison import Column
    from llmdeploy.engines.base import Capability

Asked = tuple[str, str | None]
"""An engine's name, and the release that was named with it."""


def known(ctx: click.Context, option: click.Parameter, text: str | None) -> Asked | None:
    """Take NAME[=VERSION] apart; for what is not known, list what is."""
    from llmdeploy.registry import ENGINES

    if text is None:
        return None
    name, equals, version = text.partition("=")
    if name not in ENGINES:
        raise click.BadParameter(f"'{name}' is not one of {', '.join(ENGINES)}.", ctx, option)
    if equals and ENGINES[name].judged_by(version) is None:
        releases = ", ".join(ENGINES[name].releases())
        raise click.BadParameter(f"'{version}' is not a known release of {name}: {releases}.", ctx, option)
    return name, version or None


@click.command("engines")
@click.option(
    "--engine",
    metavar="NAME[=VERSION]",
    callback=known,
    help="One engine in detail, at its default release or at another.",
)
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--sources", is_flag=True, help="Say where each fact comes from.")
def command(engine: Asked | None, format: str, sources: bool) -> None:
    """Show what each engine can do, and what of the course's table of 2025 no longer holds.

    As JSON: every fact with the releases that it holds for (since <= version < until) and its source, and every cell
    of the course's table with a verdict; of one release, the facts that hold for it.
    """
    from llmdeploy.cli import comparison
    from llmdeploy.registry import ENGINES

    shown: list[Asked] = [engine] if engine else [(name, None) for name in ENGINES]
    if format == "json":
        click.echo(json.dumps({name: _document(name, version) for name, version in shown}, indent=2))
        return
    columns = [_column(name, version) for name, version in shown]
    lines = comparison.detail(columns[0], sources) if engine else comparison.table(columns, sources)
    click.echo("\n".join(lines), color=common.wants_color(sys.stdout))


def _column(name: str, version: str | None) -> Column:
    from llmdeploy.catalog.course_table import claims
    from llmdeploy.cli.comparison import Column
    from llmdeploy.registry import ENGINES

    engine = ENGINES[name]
    release = version or engine.versions[0]
    cells = {cell.name: cell for cell in engine.capabilities() if cell.holds_for(release)}
    said = {claim.capability: claim for claim in claims() if claim.engine == name}
    return Column(name, engine.card(), release, engine.releases(), cells, said)


def _document(name: str, version: str | None) -> dict[str, Any]:
    from llmdeploy.catalog.course_table import claims
    from llmdeploy.registry import ENGINES

    engine = ENGINES[name]
    cells = [cell for cell in engine.capabilities() if version is None or cell.holds_for(version)]
    return {
        **asdict(engine.card()),
        "versions": engine.versions,
        "releases": engine.releases(),
        "version": version,
        "rows": [_row(cell) for cell in cells],
        "course": [asdict(claim) for claim in claims() if claim.engine == name],
    }


def _row(cell: Capability) -> dict[str, Any]:
    fields = asdict(cell)
    return {"capability": fields.pop("name"), "has": cell.has, **fields}

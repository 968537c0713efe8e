"""`llmdeploy engines`"""

from __future__ import annotations

import json
from dataclasses import asdict

import click


@click.command("engines")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--sources", is_flag=True, help="Say where each fact comes from.")
def command(format: str, sources: bool) -> None:
    """Show what each engine can do, from the catalog."""
    from llmdeploy.registry import ENGINES

    cards = {name: (engine.versions, engine.card()) for name, engine in ENGINES.items()}
    if format == "json":
        click.echo(
            json.dumps(
                {name: {"versions": list(v), **asdict(card)} for name, (v, card) in cards.items()}, indent=2
            )
        )
        return
    for name, (versions, card) in cards.items():
        click.echo(click.style(f"{card.title}", bold=True) + f"  engine: {name}  {card.status}")
        click.echo(f"  versions: {', '.join(versions)} (default {versions[0]})")
        click.echo(f"  best for: {card.best_for}")
        width = max((len(row.capability) for row in card.rows), default=0)
        for row in card.rows:
            click.echo(f"  {row.capability:<{width}}  {row.value}")
            if sources:
                click.echo(f"  {'':<{width}}  [{row.source}]")
        click.echo()

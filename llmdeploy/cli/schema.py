"""`llmdeploy schema`"""

from __future__ import annotations

import click


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of llm.yaml, for editors and other tools."""
    from llmdeploy.resources import read_text

    click.echo(read_text("schemas/llm.schema.json"), nl=False)

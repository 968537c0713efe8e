"""`llmdeploy completion`"""

from __future__ import annotations

import click


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of SHELL, to be sourced from its start-up file."""
    from click.shell_completion import get_completion_class

    from llmdeploy.cli import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"click has no completion for {shell}")
    # `source_vars` and the template are used directly: `source()` of bash runs bash to ask its version.
    complete = kind(cli, {}, "llmdeploy", "_LLMDEPLOY_COMPLETE")
    click.echo(complete.source_template % complete.source_vars())

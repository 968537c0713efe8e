"""`llmdeploy explain`"""

from __future__ import annotations

import click


@click.command("explain")
@click.argument("code")
def command(code: str) -> None:
    """Explain the diagnostic CODE: what it means, why it matters, and what to write instead."""
    from llmdeploy.diagnostics.codes import CODES
    from llmdeploy.diagnostics.pages import page

    wanted = code.upper()
    if wanted not in CODES:
        raise click.UsageError(
            f"there is no code {code}; codes run from {min(CODES)} to {max(CODES)}, like LD302"
        )
    click.echo(page(wanted), nl=False)

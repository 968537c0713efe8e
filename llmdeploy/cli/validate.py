"""`llmdeploy validate`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmdeploy.cli import common

if TYPE_CHECKING:
    from llmdeploy.diagnostics.render import Format


@click.command("validate")
@common.spec_argument
@common.target_option
@common.strict_option
@click.option(
    "--format",
    type=click.Choice(["full", "concise", "json", "github"]),
    default="full",
    show_default=True,
    help="How findings are printed.",
)
def command(spec: str, targets: list[str], strict: bool, format: Format) -> None:
    """Check SPEC (default: llm.yaml, `-` is standard input) for the targets it is built for.

    Exit status: 0 fine, 1 errors (with --strict also warnings).
    """
    result = common.compile_file(spec, targets, Path("out"), emit=False)
    common.show(result, format, to_stdout=True)
    if format == "full":
        click.echo(f"{result.source.file}: {common.summary(result) or 'fine'}", err=bool(result.diagnostics))
    sys.exit(common.INVALID if common.failed(result, strict) else 0)

"""`llmdeploy build`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmdeploy.cli import common

if TYPE_CHECKING:
    from llmdeploy.diagnostics.render import Format


@click.command("build")
@common.spec_argument
@common.policy_option
@common.online_option
@common.target_option
@common.output_option
@common.strict_option
@click.option("--force", is_flag=True, help="Overwrite files that were edited by hand.")
@common.format_option
@click.option("-q", "--quiet", is_flag=True, help="Print findings only.")
def command(
    spec: str, targets: list[str], output: Path, strict: bool, force: bool, format: Format, quiet: bool
) -> None:
    """Compile SPEC (default: llm.yaml, `-` is standard input) into artifacts.

    Exit status: 0 fine, 1 errors (with --strict also warnings; then nothing is written).
    """
    result = common.compile_file(spec, targets, output, emit=True)
    common.show(result, format, to_stdout=format == "json")
    if common.failed(result, strict):
        if format == "full":
            click.echo(f"{result.source.file}: {common.summary(result)}; nothing was written", err=True)
        sys.exit(common.INVALID)
    written = common.write(result, output, force=force, scope=targets)
    if quiet or format == "json":
        return
    folders = sorted({artifact.path.split("/")[0] for artifact in result.artifacts if "/" in artifact.path})
    for folder in folders:
        count = sum(artifact.path.startswith(f"{folder}/") for artifact in result.artifacts)
        click.echo(f"  {output / folder}  {count} files")
    counts = ", ".join(
        f"{len(paths)} {what}"
        for what, paths in (
            ("new", written.created),
            ("changed", written.changed),
            ("removed", written.removed),
            ("unchanged", written.unchanged),
        )
        if paths
    )
    click.echo(f"built {result.plan.name if result.plan else ''}: {counts}; read {output / 'README.md'} next")
    if words := common.unchecked_words(result):
        click.echo(words.removeprefix("; "), err=True)

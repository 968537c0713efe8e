"""`llmdeploy validate`"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmdeploy.cli import common
from llmdeploy.cli.programs import engine_bin_option

if TYPE_CHECKING:
    from llmdeploy.compiler import Result
    from llmdeploy.diagnostics.render import Format


@click.command("validate")
@common.spec_argument
@common.policy_option
@common.online_option
@common.target_option
@common.strict_option
@common.format_option
@click.option(
    "--with-engine",
    is_flag=True,
    help="Also put every model to its engine's own parser and configuration check, where the engine is installed.",
)
@engine_bin_option(
    "With --with-engine: directory of the engines' programs. Default: llmdeploy's own environment, then PATH."
)
def command(
    spec: str,
    targets: list[str],
    strict: bool,
    format: Format,
    with_engine: bool,
    programs: dict[str, Path],
) -> None:
    """Check SPEC (default: llm.yaml, `-` is standard input) for the targets it is built for.

    Exit status: 0 fine, 1 errors (with --strict also warnings).
    """
    if programs and not with_engine:
        raise click.UsageError("--engine-bin is for --with-engine.")
    result = common.compile_file(spec, targets, Path("out"), emit=False)
    if with_engine:
        result = _with_engines(result, Path() if spec == "-" else Path(spec).parent, programs)
    common.show(result, format, to_stdout=True)
    if format == "full":
        last = f"{common.summary(result) or 'fine'}{common.unchecked_words(result)}"
        click.echo(f"{result.source.file}: {last}", err=bool(result.diagnostics))
    sys.exit(common.INVALID if common.failed(result, strict) else 0)


def _with_engines(result: Result, directory: Path, programs: dict[str, Path]) -> Result:
    """Return the result with what the engines say of it; nobody is asked about a file that has errors."""
    from llmdeploy.cli.deploying import ended_by_signals, tell
    from llmdeploy.compiler import extended
    from llmdeploy.plan.hardware import hardware
    from llmdeploy.runtime.oracle import findings

    if not result.ok or result.plan is None or result.spec is None:
        tell("the engines were not asked: first mend the errors")
        return result

    site = findings.Site(directory, programs, os.environ)
    progress = tell if sys.stderr.isatty() else lambda message: None
    with ended_by_signals():
        found = list(findings.find(result.plan, result.spec, hardware(result.spec), site, progress))
    return extended(result, found)

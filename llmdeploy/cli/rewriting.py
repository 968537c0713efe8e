"""What `upgrade` and `migrate` share: reading, showing what changes, and writing it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from llmdeploy.cli import common

if TYPE_CHECKING:
    from llmdeploy.compiler import Result
    from llmdeploy.rewrite.outcome import Outcome
    from llmdeploy.rewrite.report import Rewrite
    from llmdeploy.spec.model import Spec

F = TypeVar("F", bound=Callable[..., Any])

_OUT = Path("out")


def options(function: F) -> F:
    """SPEC, --write and --format."""
    for option in (
        click.option("--format", type=click.Choice(["text", "json"]), default="text", show_default=True),
        click.option("--write", is_flag=True, help="Edit SPEC; its comments and layout stay."),
        common.spec_argument,
    ):
        function = option(function)
    return function


def read(spec: str, write: bool, format: str, *, emit: bool) -> Result:
    """Compile SPEC. Ends where it has no shape, or could not be written in the end."""
    if spec == "-" and write:
        raise click.UsageError(
            "--write has no file to edit where SPEC is `-`; leave it out, or name the file"
        )
    result = common.compile_file(spec, (), _OUT, emit=emit)
    if result.spec is None:
        if format == "json":
            nothing = {"rewrites": [], "diff": {"spec": "", "artifacts": ""}, "written": False}
            click.echo(json.dumps({**nothing, **_findings(result)}, indent=2, ensure_ascii=False))
        else:
            common.show(result)
        sys.exit(common.INVALID)
    return result


def known_model(spec: Spec, name: str) -> str:
    from llmdeploy.diagnostics.suggest import did_you_mean

    if name not in spec.models:
        raise click.UsageError(f"there is no model `{name}`; {did_you_mean(name, spec.models)}")
    return name


def finish(
    spec: str, before: Result, rewrites: Sequence[Rewrite], *, write: bool, format: str, emit: bool
) -> NoReturn:
    """Show what changes, and write it where that is asked for."""
    from llmdeploy.rewrite.edit import CannotEdit
    from llmdeploy.rewrite.outcome import outcome

    def compile(text: str) -> Result:
        return common.compile_text(text, spec, (), _OUT, emit=emit)

    try:
        found = outcome(before, rewrites, compile)
    except CannotEdit as reason:
        click.echo(f"error: {before.source.file} cannot be edited: {reason}", err=True)
        click.echo("  = help: write these entries out, or change them by hand:", err=True)
        click.echo("\n".join(_report(rewrites)), err=True)
        sys.exit(common.INVALID)
    if write and found.changed:
        _save(spec, found.after.source.text)
    if format == "json":
        click.echo(
            json.dumps(_document(found, written=write and found.changed), indent=2, ensure_ascii=False)
        )
    else:
        click.echo("\n".join([*_report(rewrites), *_diffs(found)]))
        if emit and found.changed and not (found.before.ok and found.after.ok):
            click.echo("the artifacts are not compared: there are errors before or after the change\n")
        common.show(found.after, to_stdout=True)
        click.echo(_ending(spec, found, write), err=True)
    sys.exit(0 if found.after.ok else common.INVALID)


def _save(spec: str, text: str) -> None:
    from llmdeploy.rewrite.save import save

    try:
        save(Path(spec), text)
    except OSError as error:
        click.echo(f"error: {spec} cannot be written: {error.strerror}; it is as it was", err=True)
        click.echo("  = help: see that there is space and leave to write, and try again", err=True)
        sys.exit(common.INVALID)


def _report(rewrites: Sequence[Rewrite]) -> Iterator[str]:
    from llmdeploy.rewrite.report import lines

    for rewrite in rewrites:
        yield from (*lines(rewrite), "")


def _diffs(found: Outcome) -> Iterator[str]:
    from llmdeploy.rewrite.outcome import artifact_diff, spec_diff

    for diff in (spec_diff(found), artifact_diff(found)):
        if diff:
            yield diff


def _document(found: Outcome, *, written: bool) -> dict[str, Any]:
    from llmdeploy.rewrite.outcome import artifact_diff, spec_diff
    from llmdeploy.rewrite.report import document

    return {
        "rewrites": [document(rewrite) for rewrite in found.rewrites],
        "diff": {"spec": spec_diff(found), "artifacts": artifact_diff(found)},
        "written": written,
        **_findings(found.after),
    }


def _findings(result: Result) -> dict[str, Any]:
    from llmdeploy.diagnostics.render import render

    findings: dict[str, Any] = json.loads(render(result.diagnostics, result.source, "json"))
    return findings


def _ending(spec: str, found: Outcome, write: bool) -> str:
    counts = common.summary(found.after)
    left = f"; {counts} left" if counts else ""
    if not found.changed:
        return f"{found.before.source.file}: nothing to edit{left}"
    return f"edited {spec}{left}" if write else f"--write edits {found.before.source.file}{left}"

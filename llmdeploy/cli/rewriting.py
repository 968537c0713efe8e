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
    from llmdeploy.rewrite.edit import CannotEdit
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
            _print(_unmade((), result))
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
    spec: str,
    before: Result,
    rewrites: Sequence[Rewrite],
    *,
    write: bool,
    format: str,
    emit: bool,
    diff: bool = False,
    engine: str | None = None,
) -> NoReturn:
    """Show what changes, and write it where that is asked for.

    `diff` shows the artifacts line by line. `engine` is the one whose release changes: the models for which it
    is chosen are named as well.
    """
    from llmdeploy.rewrite.edit import CannotEdit
    from llmdeploy.rewrite.outcome import outcome

    def compile(text: str) -> Result:
        return common.compile_text(text, spec, (), _OUT, emit=emit)

    try:
        found = outcome(before, rewrites, compile)
    except CannotEdit as reason:
        _say_stuck(before, rewrites, reason, format)
        sys.exit(common.INVALID)
    written = write and found.changed and _save(spec, found.after.source.text)
    if format == "json":
        _print(_document(found, engine, written=written))
    else:
        click.echo("\n".join([*_report(rewrites, before), *_left_open(found, engine), *_made(found, diff)]))
        if emit and found.changed and not (found.before.ok and found.after.ok):
            click.echo("the artifacts are not compared: there are errors before or after the change\n")
        common.show(found.after, to_stdout=True)
        click.echo(_ending(spec, found, written), err=True)
    is_missing = write and found.changed and not written
    sys.exit(common.INVALID if is_missing or not found.after.ok else 0)


def _save(spec: str, text: str) -> bool:
    """Tell whether the file could be written, and say why where it could not."""
    from llmdeploy.rewrite.save import save

    try:
        save(Path(spec), text)
    except OSError as error:
        click.echo(f"error: {spec} cannot be written: {error.strerror}; it is as it was", err=True)
        click.echo("  = help: see that there is space and leave to write, and try again", err=True)
        return False
    return True


def _say_stuck(before: Result, rewrites: Sequence[Rewrite], stuck: CannotEdit, format: str) -> None:
    file = before.source.file
    for each in stuck.entries:
        click.echo(f"error: {file}:{each.line}: `{each.entry}` cannot be edited: {each.reason}", err=True)
    click.echo(
        "  = help: write these entries out, each with a value of its own on one line, or ", nl=False, err=True
    )
    click.echo("change by hand what the report says", err=True)
    if format == "json":
        _print(_unmade(rewrites, before, stuck))
    else:
        click.echo("\n".join(_report(rewrites, before)))


# --- as text


def _report(rewrites: Sequence[Rewrite], before: Result) -> Iterator[str]:
    from llmdeploy.rewrite.report import lines

    for rewrite in rewrites:
        yield from (*lines(rewrite, before.source), "")


def _left_open(found: Outcome, engine: str | None) -> Iterator[str]:
    from llmdeploy.rewrite.left_open import left_open, lines

    if engine is not None:
        yield from lines(left_open(found.before, found.after, engine))


def _made(found: Outcome, diff: bool) -> Iterator[str]:
    """Yield what becomes of llm.yaml, and of what runs: the services and files, or every line of them."""
    from llmdeploy.rewrite import running
    from llmdeploy.rewrite.outcome import artifact_diff, lost_comments, spec_diff

    if comments := lost_comments(found):
        yield "comments that go with their entries"
        yield from (f"  line {line}: {text}" for line, text in comments)
        yield ""
    if changes := spec_diff(found):
        yield changes
    if summary := list(running.lines(found)):
        yield from summary
        yield "" if diff else "  --diff shows their lines\n"
    if diff and (changes := artifact_diff(found)):
        yield changes


def _ending(spec: str, found: Outcome, written: bool) -> str:
    counts = common.summary(found.after)
    left = f"; {counts} left" if counts else ""
    if not found.changed:
        return f"{found.before.source.file}: nothing to edit{left}"
    return f"edited {spec}{left}" if written else f"--write edits {found.before.source.file}{left}"


# --- as JSON


def _print(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _document(found: Outcome, engine: str | None, *, written: bool) -> dict[str, Any]:
    from msgspec import to_builtins

    from llmdeploy.rewrite import left_open, running
    from llmdeploy.rewrite.outcome import artifact_diff, lost_comments, spec_diff
    from llmdeploy.rewrite.report import document

    models = left_open.left_open(found.before, found.after, engine) if engine is not None else []
    return {
        "rewrites": [document(rewrite, found.before.source) for rewrite in found.rewrites],
        "left_open": left_open.document(models),
        "cannot_edit": [],
        "lost_comments": [{"line": line, "text": text} for line, text in lost_comments(found)],
        "running": to_builtins(running.running(found)),
        "files": to_builtins(running.files(found)),
        "diff": {"spec": spec_diff(found), "artifacts": artifact_diff(found)},
        "written": written,
        **_findings(found.after),
    }


def _unmade(rewrites: Sequence[Rewrite], before: Result, stuck: CannotEdit | None = None) -> dict[str, Any]:
    """Return the same document where no edit was made."""
    from msgspec import to_builtins

    from llmdeploy.rewrite.report import document

    return {
        "rewrites": [document(rewrite, before.source) for rewrite in rewrites],
        "left_open": [],
        "cannot_edit": to_builtins(stuck.entries) if stuck else [],
        "lost_comments": [],
        "running": [],
        "files": [],
        "diff": {"spec": "", "artifacts": ""},
        "written": False,
        **_findings(before),
    }


def _findings(result: Result) -> dict[str, Any]:
    from llmdeploy.diagnostics.render import document

    return document(result.diagnostics, result.source)

"""`llmdeploy upgrade`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llmdeploy.cli import rewriting

if TYPE_CHECKING:
    from llmdeploy.compiler import Result
    from llmdeploy.engines.table import Table
    from llmdeploy.spec.model import Spec


@click.command("upgrade")
@click.option(
    "--to", "target", required=True, metavar="ENGINE=VERSION", help="Like vllm=0.33.0; older ones, too."
)
@click.option("--model", metavar="NAME", help="Default: every model of SPEC that runs on this engine.")
@click.option("--diff", is_flag=True, help="Show how every line of the artifacts changes.")
@rewriting.options
def command(target: str, model: str | None, diff: bool, spec: str, write: bool, format: str) -> None:
    """Show what another release of an engine changes for SPEC (default: llm.yaml).

    Says which of its flags vanish, are renamed, or take other values, what to write instead, and which
    defaults are others; then how llm.yaml changes, what each service runs otherwise, and which artifacts
    change (--diff: line by line). A comment beside or directly above an entry that goes, goes with it.

    Exit status: 0 fine, 1 errors in SPEC or in what it becomes, 2 usage.
    """
    from llmdeploy.rewrite.subject import version_of
    from llmdeploy.rewrite.upgrade import plan

    table, version = _target(target)
    before = rewriting.read(spec, write, format, emit=True)
    assert before.spec is not None
    models = _models(before, before.spec, table.name, model)
    stated = before.source.data["models"]
    compiled = {each.name: each for each in before.plan.services} if before.plan and before.ok else {}
    rewrites = [
        plan(name, stated[name], table, (version_of(before.spec, name, table), version), compiled.get(name))
        for name in models
    ]
    rewriting.finish(
        spec,
        before,
        rewrites,
        write=write,
        format=format,
        emit=True,
        diff=diff,
        engine=table.name if model is None else None,
    )


def _target(text: str) -> tuple[Table, str]:
    """Read ENGINE=VERSION. Ends where one of the two is not known."""
    from llmdeploy.diagnostics.suggest import did_you_mean
    from llmdeploy.registry import ENGINES
    from llmdeploy.rewrite.subject import table_of

    engine, equals, version = text.partition("=")
    table = table_of(engine)
    if table is None:
        raise click.UsageError(f"there is no engine `{engine}`; {did_you_mean(engine, ENGINES)}")
    known = ENGINES[engine].releases()
    if not equals or not version:
        raise click.UsageError(f"--to wants a version, like `--to {engine}={known[-1]}`")
    if ENGINES[engine].judged_by(version) is None:
        raise click.UsageError(f"of {table.title} {version} nothing is known; {did_you_mean(version, known)}")
    return table, version


def _models(result: Result, spec: Spec, engine: str, model: str | None) -> list[str]:
    from llmdeploy.rewrite.subject import engine_of

    if model is not None:
        rewriting.known_model(spec, model)
        if spec.models[model].engine == "auto":
            raise click.UsageError(
                f"`{model}` leaves its engine open, and so its release; `llmdeploy migrate` names an engine"
            )
        if (other := engine_of(result, model)) != engine:
            raise click.UsageError(
                f"`{model}` runs on {other}, not on {engine}; `llmdeploy migrate` changes that"
            )
        return [model]
    named = [name for name, each in spec.models.items() if each.engine != "auto"]
    found = [name for name in named if engine_of(result, name) == engine]
    if not found:
        left = [name for name, each in spec.models.items() if each.engine == "auto"]
        hint = (
            f"; {', '.join(f'`{name}`' for name in left)}: `engine: auto` follows the catalog" if left else ""
        )
        raise click.UsageError(f"no model of this file runs on {engine}{hint}")
    return found

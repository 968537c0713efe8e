"""`llmdeploy migrate`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llmdeploy.cli import rewriting

if TYPE_CHECKING:
    from llmdeploy.compiler import Result
    from llmdeploy.rewrite.report import Rewrite


@click.command("migrate")
@click.option("--model", required=True, metavar="NAME", help="The model of SPEC that moves.")
@click.option("--to", "engine", required=True, type=click.Choice(["vllm", "sglang"]), help="Its new engine.")
@rewriting.options
def command(model: str, engine: str, spec: str, write: bool, format: str) -> None:
    """Rewrite one model of SPEC (default: llm.yaml) for another engine.

    Says what was carried over, what has no counterpart and why, and what clients will notice; then how
    llm.yaml changes, and what is found in it after that. A comment goes where its entry goes.

    Exit status: 0 fine, 1 errors in SPEC or in what it becomes, 2 usage.
    """
    before = rewriting.read(spec, write, format, emit=False)
    rewrite = _rewrite(before, model, engine)
    rewriting.finish(spec, before, [rewrite], write=write, format=format, emit=False)


def _rewrite(result: Result, model: str, engine: str) -> Rewrite:
    from llmdeploy.rewrite.migrate import plan
    from llmdeploy.rewrite.subject import engine_of, table_of, version_of

    assert result.spec is not None
    rewriting.known_model(result.spec, model)
    stated, old = result.source.data["models"][model], engine_of(result, model)
    before, after = table_of(old), table_of(engine)
    if old == "auto":
        raise click.UsageError(
            f"the engine of `{model}` is left open, and none can be chosen; name one first"
        )
    if before is None or after is None:
        raise click.UsageError(f"`{model}` runs on `{old}`, of which llmdeploy knows no settings")
    if before is after and stated.get("engine") != "auto":
        raise click.UsageError(
            f"`{model}` runs on {engine} already; `llmdeploy upgrade --to {engine}=VERSION` changes its release"
        )
    vendors = {each.name: each.gpus.vendor for each in result.plan.services} if result.plan else {}
    return plan(model, stated, before, after, version_of(result.spec, model, before), vendors.get(model))

"""`llmdeploy migrate`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from llmdeploy.cli import rewriting

if TYPE_CHECKING:
    from llmdeploy.rewrite.report import Rewrite
    from llmdeploy.spec.model import Spec


@click.command("migrate")
@click.option("--model", required=True, metavar="NAME", help="The model of SPEC that moves.")
@click.option("--to", "engine", required=True, type=click.Choice(["vllm", "sglang"]), help="Its new engine.")
@rewriting.options
def command(model: str, engine: str, spec: str, write: bool, format: str) -> None:
    """Rewrite one model of SPEC (default: llm.yaml) for another engine.

    Says what was carried over, what has no counterpart and why, and what clients will notice; then how
    llm.yaml changes, and what is found in it after that.

    Exit status: 0 fine, 1 errors in SPEC or in what it becomes, 2 usage.
    """
    before = rewriting.read(spec, write, format, emit=False)
    assert before.spec is not None
    name = rewriting.known_model(before.spec, model)
    vendors = {each.name: each.gpus.vendor for each in before.plan.services} if before.plan else {}
    rewrite = _rewrite(before.spec, before.source.data["models"][name], name, engine, vendors.get(name))
    rewriting.finish(spec, before, [rewrite], write=write, format=format, emit=False)


def _rewrite(spec: Spec, stated: dict[str, object], model: str, engine: str, vendor: str | None) -> Rewrite:
    from llmdeploy.rewrite.migrate import plan
    from llmdeploy.rewrite.subject import engine_of, table_of, version_of

    old = engine_of(spec, model)
    before, after = table_of(old), table_of(engine)
    if before is None or after is None:
        raise click.UsageError(f"`{model}` runs on `{old}`, of which llmdeploy knows no settings")
    if before is after:
        raise click.UsageError(
            f"`{model}` runs on {engine} already; `llmdeploy upgrade --to {engine}=VERSION` changes its release"
        )
    return plan(model, stated, before, after, version_of(spec, model, before), vendor)

"""`llmdeploy down`"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmdeploy.cli import common, deploying

if TYPE_CHECKING:
    from llmdeploy.runtime.deploy.model import Deployment


@click.command("down")
@common.spec_argument
@common.policy_option
@deploying.target_option
@deploying.context_option
@deploying.yes_option
@click.option("--volumes", is_flag=True, help="Delete the downloaded weights and the engines' caches, too.")
def command(spec: str, targets: list[str], context: str | None, yes: bool, volumes: bool) -> None:
    """Stop what `apply` runs of SPEC, and remove it. Requests that are being answered are finished first.

    Weights and caches stay unless --volumes says otherwise. On a terminal it asks.

    Exit status: 0 fine, also where nothing was there; 1 errors in SPEC, or no leave to go on; 2 usage;
    3 something could not be removed.
    """
    from llmdeploy.runtime.deploy.model import Failed
    from llmdeploy.runtime.deploy.places import deployment
    from llmdeploy.runtime.runner import CannotRun, Subprocess

    # What was built may be gone, or be of another llm.yaml: it is built once more, for this alone.
    with tempfile.TemporaryDirectory(prefix="llmdeploy-") as folder:
        result, target = deploying.compiled(spec, targets, Path(folder))
        assert result.plan
        deploying.refuse_context(context, target)
        common.write(result, Path(folder))
        try:
            with deploying.ended_by_signals():
                place = deployment(target, result.plan, Path(folder), Subprocess(), context)
                place.reach()
                deploying.tell(f"{result.plan.name}: {target}, {place.where}")
                what = "with its volumes, weights included" if volumes else "and keep its volumes"
                if sys.stdin.isatty() and not yes and not click.confirm(f"Remove it, {what}?"):
                    sys.exit(1)
                removed = _remove(place, volumes=volumes)
        except (Failed, CannotRun) as error:
            deploying.fail(error)
    for each in removed:
        click.echo(f"  - {each}")
    deploying.tell(f"{len(removed)} removed" if removed else "nothing was there")


def _remove(place: Deployment, *, volumes: bool) -> list[str]:
    try:
        return place.down(deploying.tell, volumes=volumes)
    except (KeyboardInterrupt, SystemExit):
        deploying.tell("interrupted: not all of it is gone; run it again")
        raise

"""`llmdeploy apply`"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmdeploy.cli import common, deploying

if TYPE_CHECKING:
    from llmdeploy.plan.model import Plan
    from llmdeploy.runtime.deploy.model import Changes, Deployment

_SIGNS = {"create": "+", "update": "~", "restart": "!", "remove": "-"}


@click.command("apply")
@common.spec_argument
@common.policy_option
@common.online_option
@deploying.target_option
@common.output_option
@deploying.context_option
@deploying.yes_option
@click.option("--force", is_flag=True, help="Overwrite files of the output that were edited by hand.")
@deploying.timeout_option
def command(
    spec: str,
    targets: list[str],
    output: Path,
    context: str | None,
    yes: bool,
    force: bool,
    timeout: float | None,
) -> None:
    """Build SPEC, show what will change where it runs, ask, and run it until every model is ready.

    Tools and secrets are looked for before anything is pulled. Ctrl-C takes away again what was started on
    this host. Without a terminal it needs --yes.

    Exit status: 0 fine, also where nothing had to change; 1 errors in SPEC, or no leave to go on; 2 usage;
    3 a tool or a secret is missing, or not every model got ready.
    """
    from llmdeploy.runtime.deploy.model import Failed
    from llmdeploy.runtime.deploy.places import deployment
    from llmdeploy.runtime.runner import CannotRun, Subprocess

    result, target = deploying.compiled(spec, targets, output)
    assert result.plan
    deploying.refuse_context(context, target)
    common.write(result, output, force=force, scope=[target])
    try:
        with deploying.ended_by_signals():
            place = deployment(target, result.plan, output, Subprocess(), context)
            place.check()
            changes = place.changes()
            deploying.tell(f"{result.plan.name}: {target}, {place.where}")
            if changes.items:
                _ask(changes, yes=yes)
                _run(place, target, timeout)
            else:
                deploying.tell("unchanged: every model is ready")
            _tell_urls(result.plan, target, place)
    except (Failed, CannotRun) as error:
        deploying.fail(error)


def _ask(changes: Changes, *, yes: bool) -> None:
    if changes.diff:
        click.echo(changes.diff.rstrip("\n"))
    for change in changes.items:
        because = f"  ({change.because})" if change.because else ""
        click.echo(f"  {_SIGNS[change.action]} {change.action:<7}  {change.what}{because}")
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("There is no terminal to ask at: say --yes.")
    if not click.confirm("Apply?"):
        deploying.tell("nothing was changed")
        sys.exit(1)


def _run(place: Deployment, target: str, timeout: float | None) -> None:
    try:
        place.apply(deploying.tell, timeout)
    except (KeyboardInterrupt, SystemExit):
        deploying.tell("interrupted: taking away what was started")
        try:
            place.undo(deploying.tell)
        except (KeyboardInterrupt, SystemExit):
            deploying.tell(f"not all of it is gone; `llmdeploy down -t {target}` takes it away")
            raise
        raise


def _tell_urls(plan: Plan, target: str, place: Deployment) -> None:
    from llmdeploy.emit.readme import question
    from llmdeploy.registry import TARGETS

    guide = TARGETS[target].guide(plan)
    base, hint = place.address()
    for route in plan.routes if guide.has_gateway else ():
        click.echo(f"{base}{route.path}  {route.service}")
    for remark in guide.remarks if not plan.routes or not guide.has_gateway else ():
        click.echo(remark)
    if hint:
        click.echo(hint)
    click.echo(question(plan, base, has_gateway=guide.has_gateway))

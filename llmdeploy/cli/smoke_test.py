"""`llmdeploy smoke-test`"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from llmdeploy.cli import common

if TYPE_CHECKING:
    from llmdeploy.plan.model import Plan
    from llmdeploy.runtime.smoke.boot import Place
    from llmdeploy.runtime.smoke.model import Door, Outcome


@click.command("smoke-test")
@common.spec_argument
@click.option("--against", metavar="URL", help="Ask the deployment whose gateway is at URL.")
@click.option("--runtime", type=click.Choice(["process"]), help="Boot SPEC on this machine, and ask that.")
@click.option(
    "--engine-bin",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    help="Directory of the engines' programs, searched before PATH.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="Time that a model has to get ready. Default: what the plan gives it.",
)
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Also write JUnit XML here.")
def command(
    spec: str,
    against: str | None,
    runtime: str | None,
    engine_bin: Path | None,
    timeout: float | None,
    format: str,
    junit: Path | None,
) -> None:
    """Ask every model of SPEC whether it is alive, named, answers, streams, and keeps to a JSON Schema.

    With --runtime process each model is asked directly and through its routes; everything that was started is
    ended again, also on Ctrl-C. Secrets are read from the variables that SPEC names.

    The requests are those of the OpenAI API; TGI refuses its form of response_format, so `schema` fails there.

    Exit status: 0 fine, 1 errors in SPEC, 2 usage, 3 a check failed or nothing could be asked.
    """
    from llmdeploy.runtime.smoke import report
    from llmdeploy.runtime.smoke.boot import Place

    if (against is None) == (runtime is None):
        raise click.UsageError("Say what to ask: either --against URL or --runtime process.")
    plan = _plan(spec, booting=against is None)
    outcomes, error = _run(
        plan, against, Place(_directory(spec), engine_bin, timeout), show=format == "table"
    )
    if format == "json":
        click.echo(report.as_json(outcomes, error))
    if junit:
        junit.write_text(report.junit(plan.name, outcomes, error), encoding="utf-8")
    faults = [*report.faults(outcomes), *([error] if error else [])]
    for fault in faults:
        _tell(f"failed: {fault}")
    if not faults:
        _tell(f"{len(outcomes)} checks passed")
    sys.exit(common.FAILED if faults else 0)


def _plan(spec: str, *, booting: bool) -> Plan:
    # Processes of one host are what docker has, without the containers.
    result = common.compile_file(spec, ["docker"] if booting else [], Path("out"), emit=False)
    common.show(result)
    if result.plan is None or not result.ok:
        sys.exit(common.INVALID)
    return result.plan


def _directory(spec: str) -> Path:
    return Path() if spec == "-" else Path(spec).parent


def _run(plan: Plan, against: str | None, place: Place, *, show: bool) -> tuple[list[Outcome], str | None]:
    """Return what was found, and why no more could be asked."""
    from llmdeploy.runtime.smoke import checks, report
    from llmdeploy.runtime.smoke.local import CannotBoot

    outcomes: list[Outcome] = []
    try:
        with _ended_by_signals(), _doors(plan, against, place) as doors:
            width = max(len(f"{door.model} {door.via}") for door in doors)
            for door in doors:
                for outcome in checks.ask(door, keyed=plan.gateway.auth is not None):
                    outcomes.append(outcome)
                    if show:
                        click.echo(report.row(outcome, width))
    except CannotBoot as error:
        return outcomes, str(error)
    return outcomes, None


@contextmanager
def _doors(plan: Plan, against: str | None, place: Place) -> Iterator[list[Door]]:
    from llmdeploy.runtime.smoke import local, model
    from llmdeploy.runtime.smoke.boot import booted

    auth = plan.gateway.auth
    key = local.secret(auth, os.environ) if auth else None
    if against is not None:
        yield _outside(plan, against, key)
        return
    with booted(plan, place, _tell) as running:
        doors = []
        for service in plan.services:
            for index, url in enumerate(running.replicas[service.name]):
                via = model.DIRECT if service.replicas == 1 else f"{model.DIRECT} {index}"
                doors.append(model.direct(service, url, key, via))
        yield [*doors, *(model.routed(plan, running.gateway, key) if running.gateway else [])]


def _outside(plan: Plan, url: str, key: str | None) -> list[Door]:
    """Return the doors of a deployment; without routes there is no gateway, and the URL is the model's."""
    from llmdeploy.runtime.smoke import model
    from llmdeploy.runtime.smoke.local import CannotBoot

    if not plan.routes and len(plan.services) > 1:
        raise CannotBoot(
            "there are no routes, so one URL reaches one model only: test each with a file of its own"
        )
    if not plan.routes:
        return [model.direct(plan.services[0], url, key)]
    for service in plan.services:
        if not plan.routes_of(service.name):
            _tell(f"{service.name}: no route leads to it, so it is not asked")
    return model.routed(plan, url, key)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM, and a terminal that goes, unwind the stack as Ctrl-C does: what was started is ended."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda got, frame: sys.exit(128 + got)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _tell(message: str) -> None:
    click.echo(message, err=True)

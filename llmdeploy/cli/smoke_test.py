"""`llmdeploy smoke-test`"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct
from msgspec.structs import replace

from llmdeploy.cli import common, deploying
from llmdeploy.cli.programs import engine_bin_option

if TYPE_CHECKING:
    from llmdeploy.compiler import Result
    from llmdeploy.plan.model import Plan
    from llmdeploy.runtime.smoke.boot import Booted
    from llmdeploy.runtime.smoke.model import Door, Outcome

_CONTAINERS = ("docker", "compose")


class _Means(Struct, frozen=True):
    """How it is asked: `against` a URL, with processes, or in containers as built for `target`."""

    spec: str
    target: str | None
    against: str | None
    process: bool
    programs: dict[str, Path]
    ready_s: float | None

    @property
    def directory(self) -> Path:
        return Path() if self.spec == "-" else Path(self.spec).parent


@click.command("smoke-test")
@common.spec_argument
@common.policy_option
@click.option(
    "-t",
    "--target",
    type=click.Choice(_CONTAINERS),
    help="Boot what is built for it. Default: the one that SPEC lists, else docker.",
)
@click.option("--runtime", type=click.Choice(["process"]), help="Boot the same commands without containers.")
@click.option("--against", metavar="URL", help="Ask the deployment whose gateway is at URL.")
@engine_bin_option("With --runtime process: directory of the engines' programs, searched before PATH.")
@deploying.timeout_option
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Also write JUnit XML here.")
def command(
    spec: str,
    target: str | None,
    runtime: str | None,
    against: str | None,
    programs: dict[str, Path],
    timeout: float | None,
    format: str,
    junit: Path | None,
) -> None:
    """Boot what SPEC compiles to and ask every model whether it is alive, named, answers, streams, keeps to a JSON
    Schema and reuses prefixes: directly and through its routes. Processes must also finish, when they are stopped,
    what they have begun to answer.

    Everything that was started is ended again, also on a failure or Ctrl-C; only volumes stay. Secrets are read
    from the variables that SPEC names.

    Exit status: 0 fine, 1 errors in SPEC, 2 usage, 3 a check failed or nothing could be asked.
    """
    from llmdeploy.runtime.smoke import report

    if sum(each is not None for each in (target, runtime, against)) > 1:
        raise click.UsageError("Choose one of --target, --runtime and --against.")
    if programs and runtime is None:
        raise click.UsageError("--engine-bin is for --runtime process.")
    if junit:
        try:
            junit.touch()
        except OSError as refused:
            raise click.UsageError(f"--junit: '{junit}' cannot be written: {refused.strerror}.") from None
    if against is not None:
        _check_url(against)
    means = _Means(spec, target, against, runtime is not None, programs, timeout)
    with tempfile.TemporaryDirectory(prefix="llmdeploy-") as folder:
        result, target = _compiled(means, Path(folder))
        assert result.plan
        plan = result.plan
        outcomes, error = _run(plan, replace(means, target=target), Path(folder), show=format == "table")
    if format == "json":
        click.echo(report.as_json(outcomes, error))
    if junit:
        junit.write_text(report.junit(plan.name, outcomes, error), encoding="utf-8")
    faults = [*report.faults(outcomes), *([error] if error else [])]
    for fault in faults:
        deploying.tell(f"failed: {fault}")
    if not faults:
        deploying.tell(f"{len(outcomes)} checks passed")
    sys.exit(common.FAILED if faults else 0)


def _check_url(url: str) -> None:
    """Refuse once what every check would refuse."""
    from llmdeploy.runtime.http import Unreachable, check_url

    try:
        check_url(url)
    except Unreachable as error:
        raise click.UsageError(f"--against: {error}.") from None


def _compiled(means: _Means, folder: Path) -> tuple[Result, str]:
    """Compile, and for containers also write; return the target as well."""
    in_containers = means.against is None and not means.process
    for target in (targets := _targets(means)):
        result = common.compile_file(means.spec, [target], folder, emit=in_containers)
        if result.ok or target == targets[-1]:
            break
    common.show(result)
    if result.plan is None or not result.ok:
        sys.exit(common.INVALID)
    if in_containers:
        common.write(result, folder)
    return result, target


def _targets(means: _Means) -> list[str]:
    """Return what to compile for; what runs elsewhere may be of any of several."""
    if means.target:
        return [means.target]
    if means.process:
        # Processes of one host are what docker has, without the containers.
        return ["docker"]
    targets = deploying.listed(means.spec)
    if means.against is not None:
        return targets
    return ["compose" if "compose" in targets and "docker" not in targets else "docker"]


def _run(plan: Plan, means: _Means, folder: Path, *, show: bool) -> tuple[list[Outcome], str | None]:
    """Return what was found, and why no more could be asked."""
    from llmdeploy.runtime.smoke import checks, report
    from llmdeploy.runtime.smoke.local import CannotBoot

    outcomes: list[Outcome] = []
    try:
        with deploying.ended_by_signals(), _doors(plan, means, folder) as doors:
            width = max(len(f"{door.model} {door.via}") for door in doors)
            keyed = plan.gateway.auth is not None
            asked = (outcome for door in doors for outcome in checks.ask(door, keyed=keyed))
            for outcome in chain(asked, checks.end(doors)):
                outcomes.append(outcome)
                if show:
                    click.echo(report.row(outcome, width))
    except CannotBoot as error:
        for line in error.lines:
            deploying.tell(f"  | {line}")
        return outcomes, str(error)
    return outcomes, None


@contextmanager
def _doors(plan: Plan, means: _Means, folder: Path) -> Iterator[list[Door]]:
    from llmdeploy.runtime.smoke import local, model

    auth = plan.gateway.auth
    key = local.secret(auth, os.environ) if auth else None
    if means.against is not None:
        yield _outside(plan, means.against, key)
        return
    with _booted(plan, means, folder) as running:
        doors = []
        for service in plan.services:
            for index, url in enumerate(running.replicas[service.name]):
                via = model.DIRECT if service.replicas == 1 else f"{model.DIRECT} {index}"
                doors.append(model.direct(service, url, key, via, running.processes.get(url)))
        doors += model.routed(plan, running.gateway, key) if running.gateway else []
        if not doors:
            raise local.CannotBoot("nothing of it is reached from here")
        yield doors


@contextmanager
def _booted(plan: Plan, means: _Means, folder: Path) -> Iterator[Booted]:
    from llmdeploy.runtime.deploy.compose import Compose
    from llmdeploy.runtime.deploy.docker import DockerScripts
    from llmdeploy.runtime.runner import Subprocess
    from llmdeploy.runtime.smoke import boot, containers

    if means.process:
        place = boot.Place(means.directory, means.programs, means.ready_s)
        with boot.booted(plan, place, deploying.tell) as running:
            yield running
        return
    kind = Compose if means.target == "compose" else DockerScripts
    # One that ends while it boots has failed; there is nothing else on the machine that it might have to wait for.
    host = kind(plan, folder, Subprocess(), restarts=0)
    with containers.booted(host, deploying.tell, means.ready_s) as running:
        yield running


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
            deploying.tell(f"{service.name}: no route leads to it, so it is not asked")
    return model.routed(plan, url, key)

"""What `apply`, `down` and `smoke-test` share: one target, an ending that unwinds, and telling of a failure."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from llmdeploy.cli import common

if TYPE_CHECKING:
    from llmdeploy.compiler import Result
    from llmdeploy.runtime.deploy.model import Failed
    from llmdeploy.runtime.runner import CannotRun

context_option = click.option(
    "--context", metavar="NAME", help="Context of kubectl and helm. Default: the current one, then pinned."
)
target_option = click.option(
    "-t",
    "--target",
    "targets",
    multiple=True,
    metavar="TARGET",
    callback=common.known_targets,
    help="docker, compose, kubernetes or helm. Default: the one that llm.yaml lists.",
)
timeout_option = click.option(
    "--timeout",
    type=float,
    callback=lambda ctx, option, value: _seconds(ctx, option, value),
    metavar="SECONDS",
    help="Give a model less time to get ready than `ready_timeout` of llm.yaml does.",
)
yes_option = click.option("-y", "--yes", is_flag=True, help="Do not ask.")


def _seconds(ctx: click.Context, option: click.Parameter, value: float | None) -> float | None:
    if value is not None and not 0 < value < float("inf"):
        raise click.BadParameter("say how many seconds, more than 0.", ctx, option)
    return value


def compiled(spec: str, targets: Sequence[str], output: Path) -> tuple[Result, str]:
    """Compile for the one target that is meant; ends with status 1 or 2 where that cannot be."""
    targets = targets or listed(spec)
    if len(targets) != 1:
        raise click.UsageError(f"Name one target, like `-t {targets[0]}`, of {', '.join(targets)}.")
    result = common.compile_file(spec, targets, output, emit=True)
    common.show(result)
    if not result.ok or result.plan is None:
        sys.exit(common.INVALID)
    return result, targets[0]


def refuse_context(context: str | None, target: str) -> None:
    from llmdeploy.runtime.deploy.places import CLUSTERS

    if context is not None and target not in CLUSTERS:
        raise click.UsageError(f"--context names a cluster, and `{target}` is for this host.")


def listed(spec: str) -> list[str]:
    """Return the targets that a file is built for by default; ends with status 1 where it is not understood."""
    from llmdeploy.compiler import default_targets

    # What any target has to say of it is not asked for yet.
    result = common.compile_file(spec, ["docker"], Path(), emit=False)
    if result.spec is None:
        common.show(result)
        sys.exit(common.INVALID)
    return default_targets(result.spec)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM, and a terminal that goes, unwind the stack as Ctrl-C does: what was started is ended."""
    numbers = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda got, frame: sys.exit(128 + got)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tell(message: str) -> None:
    click.echo(message, err=True)


def fail(error: Failed | CannotRun) -> NoReturn:
    """Tell why it did not work out, and end with status 3."""
    for line in getattr(error, "lines", ()):
        tell(f"  | {line}")
    tell(f"failed: {error}")
    if help := getattr(error, "help", ""):
        tell(f"  = help: {help}")
    sys.exit(common.FAILED)

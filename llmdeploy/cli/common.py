"""What the commands share: the spec argument, reading it, printing findings, exit status."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from llmdeploy.compiler import Result
    from llmdeploy.diagnostics.render import Format
    from llmdeploy.emit.write import WriteError, Written
    from llmdeploy.facts import Facts
    from llmdeploy.facts.hub import Hub
    from llmdeploy.plan.policy import Policy
    from llmdeploy.spec.model import Spec

F = TypeVar("F", bound=Callable[..., Any])

INVALID = 1
"""Exit status: errors in llm.yaml."""
FAILED = 3
"""Exit status: what runs, or should run, is not what llm.yaml says."""

spec_argument = click.argument("spec", default="llm.yaml", type=click.Path(path_type=str), required=False)
strict_option = click.option("--strict", is_flag=True, help="Make warnings fail.")
format_option = click.option(
    "--format",
    type=click.Choice(["full", "concise", "json", "github"]),
    default="full",
    show_default=True,
    help="How findings are printed.",
)
output_option = click.option(
    "-o",
    "--output",
    default="out",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Directory of the artifacts.",
)
_POLICY = f"{__name__}.policy"
_HUB = f"{__name__}.hub"


def policy_option(function: F) -> F:
    """Add `--policy`, which every compilation of this command minds."""

    def remember(ctx: click.Context, option: click.Parameter, value: str) -> None:
        ctx.meta[_POLICY] = value

    return click.option(
        "--policy",
        type=click.Choice(["maintained", "course"]),
        default="maintained",
        show_default=True,
        expose_value=False,
        callback=remember,
        help="How `engine: auto` chooses: among engines that are kept and capable, or as the course drew it.",
    )(function)


def online_option(function: F) -> F:
    """Add `--online`, which every compilation of this command minds."""

    def remember(ctx: click.Context, option: click.Parameter, value: bool) -> None:
        if value:
            from llmdeploy.facts.hub import Hub
            from llmdeploy.facts.places import places

            ctx.meta[_HUB] = Hub(os.environ, places(os.environ))

    return click.option(
        "--online",
        is_flag=True,
        envvar="LLMDEPLOY_ONLINE",
        expose_value=False,
        callback=remember,
        help="Ask the Hugging Face Hub for config.json and the headers of weights, and keep them for later.",
    )(function)


def target_option(function: F) -> F:
    return click.option(
        "-t",
        "--target",
        "targets",
        multiple=True,
        metavar="TARGET",
        callback=known_targets,
        help="docker, compose, kubernetes or helm; may be repeated. Default: those listed in llm.yaml, else all.",
    )(function)


def known_targets(ctx: click.Context, option: click.Parameter, names: Sequence[str]) -> list[str]:
    from llmdeploy.registry import TARGETS

    for name in names:
        if name not in TARGETS.built_in and name not in TARGETS:
            raise click.BadParameter(f"'{name}' is not one of {', '.join(TARGETS)}.", ctx, option)
    return list(dict.fromkeys(names))


def compile_file(
    spec: str, targets: Sequence[str], output: Path, *, emit: bool, calibrated: bool = True
) -> Result:
    """Read `spec` (`-` is standard input) and compile it. A file that cannot be read is a finding as well.

    Without `calibrated`, what is kept beside it of start-up logs is left aside.
    """
    from llmdeploy.compiler import Result
    from llmdeploy.diagnostics import Diagnostic
    from llmdeploy.source import read

    name = "<stdin>" if spec == "-" else spec
    try:
        text = _stdin() if spec == "-" else Path(spec).read_bytes()
        decoded = text.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        return Result(read("", name)[0], (Diagnostic("LD001", *_unreadable(name, error)),))
    return compile_text(decoded, spec, targets, output, emit=emit, calibrated=calibrated)


def compile_text(
    text: str, spec: str, targets: Sequence[str], output: Path, *, emit: bool, calibrated: bool = True
) -> Result:
    """Compile `text` as if it stood in `spec`."""
    from llmdeploy.compiler import compile

    context = click.get_current_context(silent=True)  # none where a program compiles
    policy: Policy = context.meta.get(_POLICY, "maintained") if context else "maintained"
    return compile(
        text,
        targets or None,
        lambda parsed: known_of(parsed, spec, output, calibrated=calibrated),
        file="<stdin>" if spec == "-" else spec,
        emit=emit,
        policy=policy,
    )


def known_of(parsed: Spec, spec: str, output: Path, *, calibrated: bool = True) -> Facts:
    """Return what is known beside the file `spec`, of which `parsed` was read."""
    from llmdeploy.facts.gather import gather
    from llmdeploy.facts.places import places

    context = click.get_current_context(silent=True)
    hub: Hub | None = context.meta.get(_HUB) if context else None
    directory = Path() if spec == "-" else Path(spec).parent
    return gather(parsed, directory, output, places(os.environ), hub, calibrated=calibrated)


def _stdin() -> bytes:
    """Return all of the standard input, which comes once and may be compiled for one target after another."""
    kept = click.get_current_context().meta
    if __name__ not in kept:
        kept[__name__] = sys.stdin.buffer.read()
    text: bytes = kept[__name__]
    return text


def _unreadable(name: str, error: Exception) -> tuple[str, tuple[()], str]:
    if isinstance(error, UnicodeDecodeError):
        return f"`{name}` is not UTF-8 text", (), "save it as UTF-8"
    if isinstance(error, FileNotFoundError):
        return f"`{name}` is not there", (), "name the file, or write one with `llmdeploy init`"
    if isinstance(error, IsADirectoryError):
        return f"`{name}` is a directory", (), f"name the file in it, like `{name.rstrip('/')}/llm.yaml`"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"`{name}` cannot be read: {reason}", (), "see that the file can be read"


def write(result: Result, output: Path, *, force: bool = False, scope: Sequence[str] = ()) -> Written:
    """Write what was built; ends with status 1 where the disk, or somebody's own edit, does not allow it."""
    from llmdeploy.emit import write as writer

    try:
        return writer.write(result.artifacts, output, force=force, scope=scope)
    except writer.WriteError as error:
        _unwritten(error)


def write_alone(path: Path, text: str, *, force: bool) -> None:
    """Write one file of its own; ends like `write`."""
    from llmdeploy.emit import write as writer
    from llmdeploy.emit.alone import write_alone

    try:
        write_alone(path, text, force=force)
    except writer.WriteError as error:
        _unwritten(error)


def _unwritten(error: WriteError) -> NoReturn:
    click.echo(f"error[{error.code}]: {error.message}\n  = help: {error.help}", err=True)
    sys.exit(INVALID)


def show(result: Result, format: Format = "full", *, to_stdout: bool = False) -> None:
    """Print the findings, in colour on a terminal."""
    stream = sys.stdout if to_stdout else sys.stderr
    if not result.diagnostics and format != "json":
        return
    from llmdeploy.diagnostics.render import document, render

    if format == "json":
        models = [{"model": name, "reason": why} for name, why in unchecked(result).items()]
        found = document(result.diagnostics, result.source)
        text = json.dumps({**found, "memory_not_checked": models}, indent=2)
    else:
        text = render(result.diagnostics, result.source, format, color=wants_color(stream))
    if text:
        click.echo(text.rstrip("\n"), err=not to_stdout, color=True)


def wants_color(stream: Any) -> bool:
    return bool(stream.isatty()) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def failed(result: Result, strict: bool) -> bool:
    from llmdeploy.diagnostics import Severity

    worst = {diagnostic.severity for diagnostic in result.diagnostics}
    return Severity.ERROR in worst or (strict and Severity.WARNING in worst)


def unchecked(result: Result) -> dict[str, str]:
    """Return the models whose memory no rule has looked at, and why."""
    return {
        service.name: service.memory.reason or ""
        for service in (result.plan.services if result.plan else ())
        if service.memory is not None and service.memory.verdict == "UNKNOWN"
    }


def unchecked_words(result: Result) -> str:
    """Return the end of a last line: which models were not looked at, and what to do; "" where all were."""
    found = unchecked(result)
    if not found:
        return ""
    names = ", ".join(f"`{name}`" for name in found)
    mended = all(why.startswith(("config:", "architecture: config.json")) for why in found.values())
    if not mended:
        return f"; memory was not checked for {names}: `llmdeploy plan` says why"
    assert result.spec is not None
    local = all(result.spec.models[name].source.path for name in found)
    online = "" if local else "read it with `--online`, or "
    return f"; memory was not checked for {names}: {online}state its shape under `architecture:`"


def summary(result: Result) -> str:
    """Return "2 errors, 1 warning", or "" where there is neither."""
    from collections import Counter

    counts = Counter(diagnostic.severity.value for diagnostic in result.diagnostics)
    return ", ".join(
        f"{counts[kind]} {kind}{'s' if counts[kind] > 1 else ''}"
        for kind in ("error", "warning")
        if counts[kind]
    )

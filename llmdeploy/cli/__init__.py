"""The command line. Each command is a file of its own, imported when it is called."""

from __future__ import annotations

import errno
import gc
import importlib
import os
import sys
from typing import Any, NoReturn

import click

from llmdeploy import __version__

UNWRITABLE = 3
BUG = 70
"""Exit status of an unexpected failure (EX_SOFTWARE)."""

_COMMANDS = {
    "init": "Write a commented llm.yaml for the GPUs of this machine.",
    "validate": "Check an llm.yaml; every error with its line and remedy.",
    "plan": "Show what would run: engine, command line, GPUs, URLs, and why.",
    "build": "Compile an llm.yaml into deployment artifacts.",
    "apply": "Build, show what will change, ask, and run it until every model is ready.",
    "down": "Stop what `apply` runs, and remove it; volumes only with --volumes.",
    "smoke-test": "Ask every model of a deployment, or of one that is booted for it, whether it serves.",
    "upgrade": "Show what another release of an engine changes for an llm.yaml, and edit it.",
    "migrate": "Rewrite a model for another engine, and say what has no counterpart.",
    "calibrate": "Compare an engine's start-up log with the memory that was predicted, and keep the correction.",
    "engines": "Show what each engine can do.",
    "explain": "Explain a diagnostic code.",
    "schema": "Print the JSON Schema of llm.yaml.",
    "completion": "Print the completion script of a shell.",
}
_ALIASES = {"check": "validate"}


class LazyGroup(click.Group):
    """Lists the commands from a table, so that `--help` imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = _ALIASES.get(cmd_name, cmd_name)
        if name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"llmdeploy.cli.{name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from llmdeploy.diagnostics.suggest import closest

            meant = closest(args[0], (*_COMMANDS, *_ALIASES))
            if meant is None or not error.message.startswith("No such command"):
                raise
            # In click's words and quotes, as its own errors are.
            raise click.UsageError(f"No such command '{args[0]}'. Did you mean '{meant}'?", ctx) from None


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="llmdeploy")
def cli() -> None:
    """Compile one llm.yaml into docker scripts, Compose, Kubernetes manifests and a Helm chart.

    Start with `llmdeploy init`, then `llmdeploy plan` and `llmdeploy build`.
    """


def main() -> NoReturn:
    """Run the command line; a failure that nobody foresaw ends in one line and status 70."""
    # What is compiled lives until the end; looking for garbage costs a sixth of a build of 1,000 models.
    gc.set_threshold(1_000_000)
    try:
        try:
            cli.main(prog_name="llmdeploy")
        except SystemExit as end:
            _leave(end.code)
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC and error.filename is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still buffered
            print("llmdeploy: standard output cannot be written: its disk is full", file=sys.stderr)
            sys.exit(UNWRITABLE)
        if os.environ.get("LLMDEPLOY_TRACEBACK"):
            raise
        print(
            f"llmdeploy: a bug, not your fault: {type(error).__name__}: {error}\n"
            "  set LLMDEPLOY_TRACEBACK=1 and report what it prints, with the llm.yaml",
            file=sys.stderr,
        )
        sys.exit(BUG)
    sys.exit(0)


def _leave(status: str | int | None) -> NoReturn:
    """End at once: to take all modules apart costs a seventh of a `validate`, and nothing here asks for it (atexit)."""
    if isinstance(status, str):
        sys.exit(status)
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):  # None: closed by the caller (`>&-`)
            stream.flush()
    except BrokenPipeError:  # nobody reads any more: `| head`
        os._exit(UNWRITABLE)
    os._exit(status or 0)

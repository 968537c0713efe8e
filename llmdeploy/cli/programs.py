"""`--engine-bin`, of the commands that run an engine of this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def engine_bin_option(help: str) -> Callable[[F], F]:
    """Give a command `programs`: a directory for each engine, and under "" for all others."""
    return click.option(
        "--engine-bin", "programs", metavar="[ENGINE=]DIR", multiple=True, callback=_programs, help=help
    )


def _programs(ctx: click.Context, option: click.Parameter, values: Sequence[str]) -> dict[str, Path]:
    from llmdeploy.registry import ENGINES

    found = {}
    for value in values:
        engine, equals, folder = value.partition("=")
        if not equals or "/" in engine:
            engine, folder = "", value
        elif engine not in ENGINES.built_in and engine not in ENGINES:
            raise click.BadParameter(f"'{engine}' is not one of {', '.join(ENGINES)}.", ctx, option)
        found[engine] = Path(folder or "/nowhere").resolve()
        if not found[engine].is_dir():
            raise click.BadParameter(f"'{folder}' is no directory.", ctx, option)
    return found

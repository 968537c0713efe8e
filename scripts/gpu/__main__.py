"""Measure on a GPU what llmdeploy compiles for vLLM, with dummy weights: nothing is downloaded.

    python scripts/gpu --engine-bin DIR --out DIR boots [--only NAME …]
    python scripts/gpu --engine-bin DIR --out DIR throughput
    python scripts/gpu --engine-bin DIR --out DIR smoke

DIR of the engine holds `vllm` and the `python` that imports it. Where a session on the GPU is short, `--within`
bounds it; what was measured until then is written.
"""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import click

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1])]

from asked import Asked  # noqa: E402  beside this file

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(help=__doc__)
@click.option("--engine-bin", type=_FOLDER, required=True, help="Holds `vllm` and `python`.")
@click.option("--out", type=_FOLDER, required=True)
@click.option("--work", type=_FOLDER, default=Path(".gpu-models"), help="Models and logs are made here.")
@click.option("--gpu", default="h200-sxm-141gb", show_default=True, help="The card's row in the catalog.")
@click.option("--version", default="0.26.0", show_default=True, help="Of vLLM.")
@click.option("--without", help="What of the engine's package is missing; goes into every row.")
@click.option("--within", type=float, default=7200, show_default=True, help="Seconds for all.")
@click.pass_context
def main(
    context: click.Context,
    engine_bin: Path,
    out: Path,
    work: Path,
    gpu: str,
    version: str,
    without: str | None,
    within: float,
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    # Also who is told to stop ends what was begun.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    end = time.monotonic() + within
    context.obj = Asked(engine_bin.resolve(), out.resolve(), work.resolve(), gpu, version, without, end)


@main.command()
@click.option("--configurations", type=click.Path(path_type=Path), default=HERE / "configurations.yaml")
@click.option("--only", multiple=True, help="Names, in this order.")
@click.option("--skip", multiple=True, help="Names.")
@click.option("--limit", type=float, default=240, show_default=True, help="Seconds for one boot.")
@click.option("--ahead", default=3, show_default=True, help="How many import while one boots.")
@click.pass_obj
def boots(
    asked: Asked, configurations: Path, only: tuple[str, ...], skip: tuple[str, ...], limit: float, ahead: int
) -> None:
    """Boot each configuration and lay the ledger beside its log."""
    from boots import run

    run(asked, configurations, only, skip, limit, ahead)


@main.command()
@click.option("--load", type=click.Path(path_type=Path), default=HERE / "throughput.yaml", show_default=False)
@click.option("--rounds", default=3, show_default=True)
@click.option(
    "--first", default=1, show_default=True, help="Number of the first round, which is also its seed."
)
@click.pass_obj
def throughput(asked: Asked, load: Path, rounds: int, first: int) -> None:
    """Put one load on the compiled command, on vLLM's defaults and on a recipe, in turns."""
    from throughput import run

    run(asked, load, range(first, first + rounds))


@main.command()
@click.option("--model", type=click.Path(path_type=Path), default=HERE / "smoke.yaml", show_default=False)
@click.pass_obj
def smoke(asked: Asked, model: Path) -> None:
    """Run `llmdeploy smoke-test` on one model, directly and through a route."""
    from smoke import run

    sys.exit(run(asked, model))


if __name__ == "__main__":
    main()

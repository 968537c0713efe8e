"""`llmdeploy init`"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from llmdeploy.diagnostics import Diagnostic
    from llmdeploy.starter.pools import Pool


_DOES_NOT_FIT = "LD304"
_OTHER = "name another --gpu or --engine"
_SUBJECTS = {
    _DOES_NOT_FIT: "name a smaller --model, a larger --gpu, or more of them with --count",
    "LD307": _OTHER,
    "LD308": _OTHER,
    "LD315": "name another --engine, or its tag as --model, like llama3.2:1b",
    "LD335": _OTHER,
}
"""What `init` has to offer, where the compiler's help names settings of the file that it did not write."""


@click.command("init")
@click.option(
    "--gpu",
    "gpus",
    multiple=True,
    metavar="ID",
    help="GPU of the catalog, or cpu; may be repeated. Default: those of this machine.",
)
@click.option("--count", type=click.IntRange(1), metavar="N", help="GPUs of each `--gpu`.  [default: 1]")
@click.option(
    "--model",
    metavar="HUB_ID",
    help="Default: a small model that needs no licence. For openllm a tag, like llama3.2:1b.",
)
@click.option("--engine", metavar="ENGINE", help="vllm, sglang, tgi or openllm.")
@click.option("--name", default="llm", show_default=True, help="Name of the deployment.")
@click.option("-o", "--output", default="llm.yaml", show_default=True, help="`-` is standard output.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
def command(
    gpus: Sequence[str],
    count: int | None,
    model: str | None,
    engine: str | None,
    name: str,
    output: str,
    force: bool,
) -> None:
    """Write a commented llm.yaml for the GPUs of this machine, or for those of `--gpu`.

    Exit status: 0 fine, 2 usage (nothing is written).
    """
    if count is not None and not gpus:
        raise click.UsageError("--count says how many there are of each --gpu; name one")
    text, unchecked = _text(_of_catalog(gpus, count or 1) if gpus else _of_machine(), model, engine, name)
    if output == "-":
        click.echo(text, nl=False)
        return
    try:
        with Path(output).open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise click.UsageError(
            f"{output} is there already; --force overwrites it, -o names another"
        ) from None
    except OSError as error:
        raise click.UsageError(f"{output} cannot be written: {error.strerror}") from None
    argument = "" if output == "llm.yaml" else f" {output}"
    click.echo(f"wrote {output}; `llmdeploy plan{argument}` shows what it would run{unchecked}")


def _of_catalog(ids: Sequence[str], count: int) -> list[Pool]:
    from llmdeploy import catalog
    from llmdeploy.diagnostics.suggest import did_you_mean
    from llmdeploy.starter.pools import of_catalog

    found = []
    for name in ids:
        gpu = catalog.gpu(name)
        if gpu is None:
            advice = did_you_mean(name, catalog.gpu_names())
            raise click.UsageError(f"there is no GPU `{name}` in the catalog; {advice}")
        if gpu in found:
            raise click.UsageError(
                f"`{name}` is named a second time; --count says how many there are of each --gpu"
            )
        found.append(gpu)
    return [of_catalog(gpu, count) for gpu in found]


def _of_machine() -> list[Pool]:
    from llmdeploy.facts.machine import machine
    from llmdeploy.runtime.runner import Subprocess
    from llmdeploy.starter.pools import UndeclarableError, of_machine

    found = machine(Subprocess())
    remedy = "name what you deploy to, like `--gpu l40s --count 2`, or `--gpu cpu`"
    try:
        pools = list(of_machine(found.cards))
    except UndeclarableError as problem:
        raise click.UsageError(f"{problem}; {remedy}") from None
    if not pools:
        why = "; ".join(found.problems) or "its cards have too little memory"
        raise click.UsageError(f"no GPU for a model was found on this machine ({why}); {remedy}")
    return pools


def _text(pools: Sequence[Pool], model: str | None, engine: str | None, name: str) -> tuple[str, str]:
    """Return the file, once the compiler has taken it, and which memory was not checked.

    What the compiler refuses is an option that does not fit.
    """
    from llmdeploy.cli import common
    from llmdeploy.compiler import compile
    from llmdeploy.diagnostics import Severity
    from llmdeploy.registry import ENGINES
    from llmdeploy.starter.choice import choose, larger, smaller
    from llmdeploy.starter.text import write

    if engine == "openllm" and model is None:
        raise click.UsageError(
            "openllm serves models of its own; name one by its tag, like `--model llama3.2:1b`"
        )
    ended = engine is not None and engine in ENGINES and ENGINES[engine].card().status != "maintained"
    choices = [choose(pool, model) for pool in pools]
    while True:
        text = write(name, pools, choices, engine, ended)
        result = compile(text, emit=False)
        found = [each for each in result.diagnostics if each.severity is Severity.ERROR]
        if not found:
            return text, common.unchecked_words(result)
        # What was guessed is that of an engine which takes little for itself, and the number of GPUs comes from the
        # model's name; the ledger of its memory knows better.
        wider = [
            larger(choice, pool) if model else smaller(choice, pool)
            for choice, pool in zip(choices, pools, strict=True)
        ]
        grown = [more or choice for choice, more in zip(choices, wider, strict=True)]
        if {each.code for each in found} != {_DOES_NOT_FIT} or grown == choices:
            raise click.UsageError(f"{found[0].message}; {_advice(found[0])}")
        choices = grown


def _advice(finding: Diagnostic) -> str:
    """Return a help that speaks of what `init` can be told; settings of llm.yaml come after it."""
    if finding.code in _SUBJECTS:
        return _SUBJECTS[finding.code]
    return finding.help or "name another --gpu, --model or --engine"

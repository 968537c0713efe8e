"""`llmdeploy plan`"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmdeploy.cli import common

if TYPE_CHECKING:
    from llmdeploy.compiler import Result
    from llmdeploy.plan.model import Plan, Service
    from llmdeploy.show.cards import Pool


@click.command("plan")
@common.spec_argument
@common.policy_option
@common.online_option
@common.target_option
@common.strict_option
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--why/--no-why", default=True, help="Say why each derived value is what it is.")
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(path_type=str),
    help="Write a page for a browser instead, all in one file; `-` is standard output.",
)
@click.option("--force", is_flag=True, help="With --html: overwrite a file that was not made by it.")
def command(
    spec: str, targets: list[str], strict: bool, format: str, why: bool, html: str | None, force: bool
) -> None:
    """Show what SPEC would run: engine, image, command line, port, GPUs and their memory, URLs, and why.

    With errors there is still a picture of the GPUs, and the JSON has the services, where they could be made out.

    Exit status: 0 fine, 1 errors (with --strict also warnings).
    """
    if html is not None and format == "json":
        raise click.UsageError(
            "--html makes a page: leave out `--format json`, or call `plan` once for each."
        )
    if force and html is None:
        raise click.UsageError("--force is for --html: nothing else is written.")
    result = common.compile_file(spec, targets, Path("out"), emit=False)
    if format == "json":
        click.echo(json.dumps(_document(result), indent=2))
    else:
        common.show(result)
        if html is not None:
            _page(result, targets, html, why, force)
        elif result.plan is not None:
            _print(_lines(result, result.plan, list(targets or _targets(result)), why))
    sys.exit(common.INVALID if common.failed(result, strict) else 0)


def _document(result: Result) -> dict[str, Any]:
    from llmdeploy.diagnostics.render import document as findings_of
    from llmdeploy.plan.document import document
    from llmdeploy.show.covered import covered

    findings = findings_of(result.diagnostics, result.source)
    if result.plan is None:
        name = result.spec.name if result.spec else None
        return {"name": name, "services": [], "routes": [], **findings}
    return {**covered(document(result.plan), result.diagnostics), **findings}


def _page(result: Result, targets: list[str], html: str, why: bool, force: bool) -> None:
    from llmdeploy.show.page import page

    if result.plan is None:
        click.echo("no page was made, for nothing is known of what would run", err=True)
        return
    urls = _urls(result.plan, list(targets or _targets(result))) if result.ok else []
    text = page(_document(result), result.plan, _pools(result), urls, why=why)
    if html == "-":
        click.echo(text.encode(), nl=False)
    else:
        common.write_alone(Path(html), text, force=force)
        click.echo(f"wrote {html}")


def _print(lines: Iterable[str]) -> None:
    """Print what this terminal can show: in colour or not, with blocks or ASCII."""
    from llmdeploy.show.bars import encodable

    for line in lines:
        click.echo(encodable(line, sys.stdout.encoding), color=common.wants_color(sys.stdout))


def _pools(result: Result) -> tuple[Pool, ...]:
    from llmdeploy.plan.hardware import hardware
    from llmdeploy.show.cards import pools

    assert result.plan is not None and result.spec is not None
    return pools(result.plan, hardware(result.spec))


def _targets(result: Result) -> list[str]:
    from llmdeploy.compiler import default_targets

    return default_targets(result.spec) if result.spec else []


def _lines(result: Result, plan: Plan, targets: list[str], why: bool) -> Iterator[str]:
    """With errors, which are above already, only the memory: the rest would be what does not run."""
    yield click.style(plan.name, bold=True)
    if result.ok:
        for service in plan.services:
            yield ""
            yield from _service(service, why)
    if any(service.memory for service in plan.services):
        yield ""
        yield from _memory(result, plan)
    if result.ok:
        yield ""
        yield from _reached(plan, targets)


def _memory(result: Result, plan: Plan) -> Iterator[str]:
    from llmdeploy.show.bars import draw, folded, told

    yield click.style("memory", bold=True)
    columns = max(shutil.get_terminal_size().columns, 40)
    for service in plan.services:
        if service.memory:
            first, *others = told(service.memory)
            yield from folded("  ", [service.name, *first.split()], columns)
            for line in others:
                yield from folded("    ", line.split(), columns)
    yield ""
    yield from draw(_pools(result), columns, sys.stdout.encoding)


def _urls(plan: Plan, targets: list[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return (target, [(URL, model)]); no URL where that target has no gateway."""
    from llmdeploy.registry import TARGETS

    guides = {name: TARGETS[name].guide(plan) for name in targets}
    return [
        (name, [(guide.base_url + route.path, route.service) for route in plan.routes if guide.has_gateway])
        for name, guide in guides.items()
    ]


def _reached(plan: Plan, targets: list[str]) -> Iterator[str]:
    yield click.style("reached at", bold=True)
    width = max((len(name) for name in targets), default=0)
    for name, urls in _urls(plan, targets):
        where = "  ".join(f"{url} → {model}" for url, model in urls)
        yield f"  {name:<{width}}  {where or 'each engine at its own port, without a gateway'}"
    for route in plan.routes:
        ends = ", ".join(end.path + ("/…" if end.match.value == "prefix" else "") for end in route.endpoints)
        yield f"  {route.path} lets through {ends}; all else is 404"


def _service(service: Service, why: bool) -> Iterator[str]:
    from llmdeploy.show import words

    gpus = service.gpus
    devices = "; ".join(",".join(ids) for ids in gpus.devices)
    place = f"{gpus.count} × {gpus.resource}" if gpus.count else "CPU"
    rows = [
        ("engine", f"{service.engine} {service.engine_version}"),
        ("image", service.launch.image),
        ("runs", _wrapped(list(service.launch.argv))),
        ("env", _wrapped([f"{key}={value}" for key, value in service.launch.env.items()])),
        ("secrets", ", ".join(f"{key} ← {secret.name}" for key, secret in service.launch.secret_env.items())),
        ("port", str(service.launch.port)),
        ("gpus", f"{place} of pool {gpus.pool}" + (f" (devices {devices})" if devices else "")),
        ("replicas", str(service.replicas) if service.replicas > 1 else ""),
        ("serves", ", ".join(service.served_names)),
        ("adapters", ", ".join(f"{adapter} as {asked}" for adapter, asked in service.adapter_names.items())),
        ("ready in", words.ready(service)),
    ]
    yield click.style(service.name, bold=True)
    for name, value in rows:
        if value:
            yield f"  {name:<9} {value}"
    if why:
        for reason in service.why:
            yield click.style(f"  {'why':<9} {reason.setting} = {reason.value}: {reason.because}", dim=True)


def _wrapped(words: list[str], width: int = 96) -> str:
    from llmdeploy.emit.shell import quote

    lines = [""]
    for word in map(quote, words):
        if lines[-1] and len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return ("\n" + " " * 12).join(lines)

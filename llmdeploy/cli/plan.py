"""`llmdeploy plan`"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from llmdeploy.cli import common

if TYPE_CHECKING:
    from llmdeploy.compiler import Result
    from llmdeploy.plan.model import Plan, Service


@click.command("plan")
@common.spec_argument
@common.policy_option
@common.online_option
@common.target_option
@common.strict_option
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--why/--no-why", default=True, help="Say why each derived value is what it is.")
def command(spec: str, targets: list[str], strict: bool, format: str, why: bool) -> None:
    """Show what SPEC would run: engine, image, command line, port, GPUs, URLs, and why.

    Exit status: 0 fine, 1 errors (with --strict also warnings).
    """
    result = common.compile_file(spec, targets, Path("out"), emit=False)
    failed = common.failed(result, strict)
    if format == "json":
        click.echo(json.dumps(_document(result), indent=2))
    else:
        common.show(result)
        if result.plan is not None and result.ok:
            click.echo("\n".join(_lines(result.plan, list(targets or _targets(result)), why)))
    sys.exit(common.INVALID if failed else 0)


def _document(result: Result) -> dict[str, Any]:
    from llmdeploy.diagnostics.render import render
    from llmdeploy.plan.document import document

    findings = json.loads(render(result.diagnostics, result.source, "json"))
    plan = result.plan if result.plan is not None and result.ok else None
    empty: dict[str, Any] = {"name": result.spec.name if result.spec else None, "services": [], "routes": []}
    return {**(document(plan) if plan else empty), **findings}


def _targets(result: Result) -> list[str]:
    from llmdeploy.compiler import default_targets

    return default_targets(result.spec) if result.spec else []


def _lines(plan: Plan, targets: list[str], why: bool) -> Iterator[str]:
    from llmdeploy.registry import TARGETS

    yield click.style(plan.name, bold=True)
    for service in plan.services:
        yield ""
        yield from _service(service, why)
    yield ""
    yield click.style("reached at", bold=True)
    width = max((len(name) for name in targets), default=0)
    for name in targets:
        guide = TARGETS[name].guide(plan)
        urls = [f"{guide.base_url}{route.path} → {route.service}" for route in plan.routes]
        where = (
            "  ".join(urls)
            if urls and guide.has_gateway
            else "each engine at its own port, without a gateway"
        )
        yield f"  {name:<{width}}  {where}"
    for route in plan.routes:
        ends = ", ".join(end.path + ("/…" if end.match.value == "prefix" else "") for end in route.endpoints)
        yield f"  {route.path} lets through {ends}; all else is 404"


def _service(service: Service, why: bool) -> Iterator[str]:
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
        ("ready in", f"at most {service.ready_timeout_s} s"),
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

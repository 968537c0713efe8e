"""`llmdeploy calibrate`"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import click

from llmdeploy.cli import common

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmdeploy.calibration.compare import Row
    from llmdeploy.calibration.mismatch import Default, Mismatch
    from llmdeploy.calibration.plausible import Doubt
    from llmdeploy.compiler import Result
    from llmdeploy.memory.corrections import Correction
    from llmdeploy.plan.defaults import Setting
    from llmdeploy.plan.model import Service
    from llmdeploy.spec.model import Source
    from llmdeploy.startlog.model import Boot, StartLog


class _Comparison(NamedTuple):
    """One start of a service, as its log has it, beside what was predicted."""

    service: Service
    read: StartLog
    boot: Boot
    rows: Sequence[Row]
    differ: Sequence[Mismatch]
    doubts: Sequence[Doubt]


def _day(ctx: click.Context, option: click.Parameter, value: str | None) -> str | None:
    if value is not None and not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise click.BadParameter("write it like 2026-11-30.", ctx, option)
    return value


@click.command("calibrate")
@click.argument("log", type=click.Path(path_type=str))
@common.spec_argument
@click.option("--model", metavar="NAME", help="The model that the log is of. Default: the only one.")
@click.option("--save", is_flag=True, help="Keep what was off in llmdeploy.calibration.yaml, beside SPEC.")
@click.option("--date", callback=_day, metavar="DAY", help="With --save: the day of a log that states none.")
@click.option("--format", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(log: str, spec: str, model: str | None, save: bool, date: str | None, format: str) -> None:
    """Lay what an engine printed when it started beside what SPEC predicts of its GPUs' memory, term by term.

    LOG is a file, or `-`: `docker logs NAME 2>&1 | llmdeploy calibrate -`. Of several starts in it, the last one
    counts. It is compared with the prediction alone; corrections that were kept before are left aside.

    Exit status: 0 fine, also where a term is off; 1 errors in SPEC, 2 usage, 3 the log is not of such a start,
    or nothing of it could be saved.
    """
    if log == spec == "-":
        raise click.UsageError("LOG and SPEC cannot both be standard input; name a file for one of them.")
    if save and spec == "-":
        raise click.UsageError("--save has no place to write to where SPEC is `-`; name the file.")
    read = _read(log)
    result = common.compile_file(spec, (), Path("out"), emit=False, calibrated=False)
    # A prediction that a model does not fit is an error, and a log that shows otherwise is what it needs.
    if result.plan is None or result.spec is None:
        common.show(result)
        sys.exit(common.INVALID)
    name = _model(result, model)
    service = result.plan.service(name)
    boot, doubts = _plausible(service, _boot(read, service))
    rows, differ = _compared(service, boot, lambda setting: _default(result, spec, service, setting))
    found = _Comparison(service, read, boot, rows, differ, doubts)
    kept = _save(result, found, date, Path(spec).parent) if save else None
    if format == "json":
        click.echo(_json(found, kept))
    else:
        _print(service, boot, rows, kept)
    _end(result, service, boot, unsaved=save and kept is None)


def _read(log: str) -> StartLog:
    from llmdeploy.startlog import Unreadable, read

    name = "standard input" if log == "-" else f"`{log}`"
    try:
        if log == "-":
            found = read(sys.stdin.buffer)
        else:
            with Path(log).open("rb") as file:
                found = read(file)
    except OSError as error:
        raise click.UsageError(f"{name} cannot be read: {error.strerror}.") from None
    except Unreadable as reason:
        _fail(f"{name} is no log: {reason}", "give what `docker logs NAME 2>&1` or `kubectl logs POD` prints")
    if not found.lines:
        _fail(f"{name} is empty", "`docker logs` prints to stderr as well: `docker logs NAME 2>&1`")
    if not found.boots:
        if found.other:
            _fail(f"{name} is a log of {found.other}", "logs of vLLM and SGLang can be compared")
        _fail(
            f"{name} has no line of vLLM's or SGLang's start in it",
            "give the log from its first line on: what an engine takes is printed before it is ready",
        )
    return found


def _model(result: Result, name: str | None) -> str:
    from llmdeploy.diagnostics.suggest import did_you_mean

    assert result.spec is not None
    models = result.spec.models
    if name is None and len(models) > 1:
        raise click.UsageError(f"Name the model that the log is of: --model {' or '.join(models)}.")
    if name is not None and name not in models:
        raise click.UsageError(f"there is no model `{name}`; {did_you_mean(name, models)}")
    return name or next(iter(models))


def _boot(read: StartLog, service: Service) -> Boot:
    """Return the last start of the container that is meant."""
    containers = dict(read.boots)
    if len(containers) > 1:
        named = {
            name: boots for name, boots in containers.items() if service.name in re.split(r"[/]|-\d+$", name)
        }
        of_engine = {name: boots for name, boots in containers.items() if boots[-1].engine == service.engine}
        containers = named or of_engine
    if len(containers) != 1:
        _fail(
            f"the log is of several containers: {', '.join(read.boots)}",
            f"give that of `{service.name}` alone",
        )
    boots = next(iter(containers.values()))
    if len(boots) > 1:
        _tell(f"note: the log has {len(boots)} starts; this is the last one")
    return boots[-1]


def _plausible(service: Service, boot: Boot) -> tuple[Boot, list[Doubt]]:
    from llmdeploy.calibration import report
    from llmdeploy.calibration.plausible import overfull, plausible
    from llmdeploy.memory.model import Ledger, Verdict

    boot, doubts = plausible(service, service.memory or Ledger(Verdict.UNKNOWN), boot)
    if (excess := overfull(service, boot)) is not None:
        doubts.append(excess)
    for each in doubts:
        _tell(f"warning: {report.doubt(each)}")
    if doubts and not boot.measures:
        _fail("nothing that the log says of memory can be", "give it as the engine printed it")
    return boot, doubts


def _default(result: Result, spec: str, service: Service, setting: Setting) -> int | None:
    from llmdeploy.compiler import default

    assert result.spec is not None
    known = common.known_of(result.spec, spec, Path("out"), calibrated=False)
    return default(result.spec, known, service.name, service.engine, setting)


def _compared(service: Service, boot: Boot, default: Default) -> tuple[list[Row], list[Mismatch]]:
    from llmdeploy.calibration import report
    from llmdeploy.calibration.compare import compare
    from llmdeploy.calibration.mismatch import mismatches
    from llmdeploy.memory.model import Ledger, Verdict

    differ = mismatches(service, service.memory, boot, default)
    fatal = next((each for each in differ if each.fatal), None)
    if fatal is not None:
        _fail(
            f"this log is of something else: {report.mismatch(fatal)}",
            f"give the log of `{service.name}`, or name another model with --model",
        )
    for each in differ:
        effect = report.spoiled(each) if each.spoils else "what differs below may come of that"
        _tell(f"warning: {report.mismatch(each)}: {effect}")
    if boot.version is None:
        _tell(f"note: the log states no version; {service.engine_version} of the plan is taken for it")
    if not boot.measures:
        _fail("the log says nothing of memory", "give it from the first line on, until the engine is ready")
    spoiled = {term for each in differ for term in each.spoils}
    return compare(service, service.memory or Ledger(Verdict.UNKNOWN), boot, spoiled), differ


def _save(result: Result, found: _Comparison, date: str | None, directory: Path) -> Path | None:
    """Keep what can be kept; None, and why, where nothing can."""
    from llmdeploy.calibration.kept import CannotKeep, keep

    try:
        kept = _correction(result, found, date)
        _tell_left_out(kept)
        return keep(directory, kept)
    except CannotKeep as reason:
        _tell(f"error: nothing was saved: {reason}")
        return None


def _correction(result: Result, found: _Comparison, date: str | None) -> Correction:
    """Return what is worth keeping. Raises CannotKeep."""
    from datetime import date as today

    import msgspec

    from llmdeploy import catalog
    from llmdeploy.calibration.corrections import correction, unclear
    from llmdeploy.calibration.kept import CannotKeep
    from llmdeploy.calibration.plausible import SUM
    from llmdeploy.plan.parallelism import tensor_size

    assert result.spec is not None
    service, boot = found.service, found.boot
    model, pool = result.spec.models[service.name], result.spec.gpus[service.gpus.pool]
    gpu = catalog.gpu(pool.type) if pool.type else None
    if found.differ:
        raise CannotKeep("the log is not of the plan as it is")
    if any(each.term == SUM for each in found.doubts):
        raise CannotKeep("what the log has on one GPU is more than that GPU")
    if (reason := unclear(found.rows, boot)) is not None:
        raise CannotKeep(reason)
    if boot.failure is not None:
        raise CannotKeep("the engine did not start")
    if pool.resource is not None and "mig-" in pool.resource:
        raise CannotKeep("corrections are kept by the catalog's GPU, and the pool is of slices of one")
    if gpu is None:
        raise CannotKeep("corrections are kept by the catalog's GPU, and the pool has no `type`")
    try:
        kept = correction(
            found.rows,
            engine=service.engine,
            version=service.engine_version,
            gpu=gpu.id,
            tensor=tensor_size(model),
            pipeline=model.parallel.pipeline,
            model=_id(model.source),
            date=date or boot.date or today.today().isoformat(),
            sha256=found.read.sha256,
        )
    except msgspec.ValidationError as reason:
        raise CannotKeep(f"it could not be read again: {reason}") from None
    if kept is None:
        raise CannotKeep("there is no term that is both predicted and in the log")
    return kept


def _tell_left_out(found: Correction) -> None:
    """Say which of the terms that can be kept the correction does not have."""
    from llmdeploy.calibration.report import words
    from llmdeploy.memory.corrections import SHIFTED

    absent = [words(term) for term in ("weights", *SHIFTED) if getattr(found, term) is None]
    if absent:
        _tell(f"note: not saved, because they are not both predicted and in the log: {', '.join(absent)}")


def _id(source: Source) -> str:
    """Return what a question calls the model: its Hub id, or the directory as llm.yaml spells it."""
    from llmdeploy import catalog

    bento = catalog.bento(source.openllm) if source.openllm else None
    return source.hub or source.path or (bento.hub_id if bento else None) or str(source.openllm)


def _json(found: _Comparison, kept: Path | None) -> str:
    from msgspec.structs import asdict

    from llmdeploy.calibration.report import document

    service, boot, read = found.service, found.boot, found.read
    log = {
        "engine": boot.engine,
        "version": boot.version,
        "model": boot.model,
        "ready": boot.ready,
        "failure": asdict(boot.failure) if boot.failure else None,
        "date": boot.date,
        "sha256": read.sha256,
        "starts": sum(len(boots) for boots in read.boots.values()),
    }
    shown = {"model": service.name, "engine": service.engine, "engine_version": service.engine_version}
    saved = str(kept) if kept else None
    return json.dumps(
        {**shown, "log": log, **document(found.rows, found.differ, found.doubts), "saved": saved}, indent=2
    )


def _print(service: Service, boot: Boot, rows: Sequence[Row], kept: Path | None) -> None:
    from llmdeploy.calibration.report import table

    color = common.wants_color(sys.stdout)
    version = f" {boot.version}" if boot.version else ""
    click.echo(click.style(f"{service.name}: {boot.engine}{version}", bold=True), color=color)
    for line in table(rows):
        click.echo(line, color=color)
    if kept is not None:
        click.echo(f"kept in {kept}: from now on plans for this GPU and release use it")


def _end(result: Result, service: Service, boot: Boot, *, unsaved: bool) -> NoReturn:
    if boot.failure is not None:
        _fail(f"the engine did not start, {boot.failure.kind}: {boot.failure.line}")
    if service.memory is None or not service.memory.ranks:
        reason = service.memory.reason if service.memory else None
        _fail(f"no memory was predicted for `{service.name}`" + (f": {reason}" if reason else ""))
    if not result.ok:
        common.show(result)
        sys.exit(common.INVALID)
    sys.exit(common.FAILED if unsaved else 0)


def _tell(line: str) -> None:
    click.echo(line, err=True)


def _fail(message: str, help: str | None = None) -> NoReturn:
    _tell(f"error: {message}" + (f"\n  = help: {help}" if help else ""))
    sys.exit(common.FAILED)

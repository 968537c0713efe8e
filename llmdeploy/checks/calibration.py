"""The corrections that stand beside llm.yaml: whether they can be read, and whether any model uses them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from llmdeploy import catalog
from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Diagnostic
from llmdeploy.engines.base import calibration_of
from llmdeploy.plan.parallelism import tensor_size
from llmdeploy.plan.placement import pool_of

if TYPE_CHECKING:
    from llmdeploy.memory.corrections import Start

_AGAIN = "start the model as it is now, and run `llmdeploy calibrate LOG --save`"


def check(context: Context) -> Iterator[Diagnostic]:
    fault = context.facts.corrections_fault
    if fault is not None:
        yield Diagnostic(
            "LD531",
            f"`{fault.file}`, line {fault.line}: {fault.message}; none of its corrections is used",
            help=f"mend that line, or remove the file: {_AGAIN}",
        )
    if not context.facts.corrections:
        return
    run = [what for name in context.spec.models if (what := _runs(context, name)) is not None]
    for each in context.facts.corrections:
        if not any(each.holds_for(what) for what in run):
            many = each.tensor * each.pipeline
            cards = f"{many} × " if many > 1 else ""
            yield Diagnostic(
                "LD532",
                f"a start of {each.engine} {each.release} on {cards}`{each.gpu}` was calibrated, and no model runs so",
                help=f"{_AGAIN}; or remove this correction",
            )


def _runs(context: Context, name: str) -> Start | None:
    """Return what a correction is asked about for a model."""
    from llmdeploy.memory.corrections import Start

    model = context.spec.models[name]
    engine = context.engine_of(name)
    pool = context.spec.gpus.get(model.gpus.pool or next(iter(context.spec.gpus)))
    hardware = context.pools.get(pool_of(context.spec, name) or "")
    if engine not in context.engines or pool is None or hardware is None or hardware.sliced:
        return None  # a slice is not the card that was measured
    gpu = catalog.gpu(pool.type) if pool.type else None
    version = model.engine_version or context.engines[engine].versions[0]
    release = calibration_of(context.engines[engine], version).release(version)
    known = context.checkpoint(name).id
    return Start(engine, release, gpu.id if gpu else None, tensor_size(model), model.parallel.pipeline, known)

"""Which engine a model runs on, and at which release."""

from __future__ import annotations

from llmdeploy.checks.context import Context
from llmdeploy.compiler import Result
from llmdeploy.engines.lowering import TableEngine
from llmdeploy.engines.table import Table
from llmdeploy.facts import Facts
from llmdeploy.registry import ENGINES
from llmdeploy.spec.model import Spec


def engine_of(result: Result, model: str) -> str:
    """Return the engine that the model names, that was chosen for it, or `auto` where none could be."""
    assert result.spec is not None
    for service in result.plan.services if result.plan else ():
        if service.name == model:
            return service.engine
    return Context(result.spec, Facts(), {}, ENGINES, {}).engine_of(model)


def table_of(engine: str) -> Table | None:
    """Return what is known of an engine; None for one that is not there, or brings no table."""
    found = ENGINES.get(engine)
    return found.table if isinstance(found, TableEngine) else None


def version_of(spec: Spec, model: str, table: Table) -> str:
    return spec.models[model].engine_version or table.versions[0]

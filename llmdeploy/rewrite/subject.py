"""Which engine a model runs on, and at which release."""

from __future__ import annotations

from llmdeploy.checks.context import Context
from llmdeploy.engines.lowering import TableEngine
from llmdeploy.engines.table import Table
from llmdeploy.facts import Facts
from llmdeploy.registry import ENGINES
from llmdeploy.spec.model import Spec


def engine_of(spec: Spec, model: str) -> str:
    return Context(spec, Facts(), {}, ENGINES, {}).engine_of(model)


def table_of(engine: str) -> Table | None:
    """Return what is known of an engine; None for one that is not there, or brings no table."""
    found = ENGINES.get(engine)
    return found.table if isinstance(found, TableEngine) else None


def version_of(spec: Spec, model: str, table: Table) -> str:
    return spec.models[model].engine_version or table.versions[0]

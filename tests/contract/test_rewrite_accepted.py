"""What `migrate` and `upgrade` write is accepted by the engines themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from support.oracle import Oracle

from llmdeploy.catalog.flag_bounds import bounds
from llmdeploy.catalog.flags import Flag, flag_table
from llmdeploy.catalog.meanings import meanings
from llmdeploy.compiler import compile
from llmdeploy.plan.model import Service
from llmdeploy.registry import ENGINES
from llmdeploy.rewrite import migrate
from llmdeploy.rewrite.edits import applied, whole
from llmdeploy.rewrite.names import named

CASES = Path(__file__).parents[1] / "rewrite"
NEWEST = {"vllm": "vllm-0.33", "sglang": "sglang-0.5.23"}


def engines() -> list[object]:
    return [pytest.param(engine, marks=pytest.mark.xdist_group(NEWEST[engine])) for engine in NEWEST]


def after_serve(service: Service) -> list[str]:
    argv = list(service.launch.argv)
    return argv[argv.index("serve") + 1 :]


@pytest.mark.parametrize("engine", engines())
def test_every_case_that_compiles_is_taken(engine: str, oracle: Callable[[str], Oracle]) -> None:
    found = {}
    for case in sorted(CASES.glob("*/*/after.yaml")):
        result = compile(case.read_text(encoding="utf-8"), emit=False)
        for service in result.plan.services if result.ok and result.plan else ():
            if (service.engine, service.engine_version) == (engine, ENGINES[engine].versions[0]):
                found[f"{case.parent.name}: {service.name}"] = service
    assert len(found) > 2
    asked = oracle(NEWEST[engine])
    complaints = {name: asked.complaint(after_serve(service)) for name, service in found.items()}
    assert {name: said for name, said in complaints.items() if said} == {}


VALUES = {"switch": True, "int": 2, "float": 3.0, "json": {}, "text": "2", "bool": True, "size": 2}


@pytest.mark.parametrize("engine", engines())
def test_every_meaning_is_taken_in_the_words_that_it_is_carried_over_to(
    engine: str, oracle: Callable[[str], Oracle]
) -> None:
    """Each row, from each engine that has it, with each of its words: the argument that comes out is parsed."""
    asked, complaints, count = oracle(NEWEST[engine]), {}, 0
    for row in meanings():
        there = row.spelled.get(engine)
        if there is None or there.by_hand or named(there.name, True, ENGINES[engine].table).setting:
            continue  # nothing comes out, or a field, which has tests of its own
        for before in row.spelled.keys() & {"vllm", "sglang", "tgi"} - {engine}:
            spelling = row.spelled[before]
            # A field of JSON has no type in the catalog: that of its counterpart will do.
            typed = (engine, there.name) if "." in spelling.name else (before, spelling.name)
            to = _flag(engine, there.name)
            legal = to.choices[:1] if to else ()
            plain = _within(VALUES[_type(_flag(*typed))], (before, spelling.name), (engine, there.name))
            values = [*spelling.values.values()] or [*legal] or [plain]
            for value in values:
                key = spelling.name.removeprefix("--")
                home = "env" if before == "tgi" or not spelling.name.startswith("--") else "engine_args"
                said = asked.complaint(_migrated(before, engine, home, key, value))
                count += 1
                if said:
                    complaints[f"{row.name} from {before}: {value}"] = said
    assert count > 50
    assert complaints == {}


def _flag(engine: str, name: str) -> Flag | None:
    table = flag_table(engine)
    assert table is not None
    return table.find(name, table.versions[-1])


def _within(value: object, *named: tuple[str, str]) -> object:
    """Return the value, or the least above it that the bounds of these flags allow."""
    for row in (row for engine, name in named for row in bounds(engine, name)):
        if type(value) is int:
            value = max(value, int(row.ge or 0))
            value = -(-value // (row.multiple or 1)) * (row.multiple or 1)
    return value


def _type(flag: Flag | None) -> str:
    return "text" if flag is None else "switch" if flag.kind == "switch" else flag.type


def _migrated(before: str, after: str, home: str, key: str, value: object) -> list[str]:
    """Return what follows `serve` for a model with one entry, once it has moved."""
    stated = {"source": "a/b", "gpus": 2, home: {key: str(value).lower() if home == "env" else value}}
    old, new = ENGINES[before].table, ENGINES[after].table  # type: ignore[attr-defined]
    rewrite = migrate.plan("m", stated, old, new, old.versions[0])
    data = {"models": {"m": stated}}
    model = applied(data, whole(data, rewrite.edits))["models"]["m"]
    spec = {
        "version": 1,
        "name": "x",
        "gpus": {"gpu": {"type": "h100", "count": 2}},
        "models": {"m": model},
        "targets": {"docker": {}},
    }
    result = compile(json.dumps(spec), emit=False)
    assert result.ok and result.plan is not None, (stated, [d.message for d in result.diagnostics])
    return after_serve(result.plan.service("m"))

"""What `upgrade` says of two releases that differ in everything that a flag can: a catalog made for it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from support import specs

from llmdeploy.catalog.flags import FlagTable
from llmdeploy.engines.arguments import parser, spelling
from llmdeploy.plan.model import Service
from llmdeploy.registry import ENGINES
from llmdeploy.rewrite import upgrade
from llmdeploy.rewrite.report import Kind, Rewrite

OLD, NEW = "101.0.0", "102.0.0"


def record(first: str, last: str, kind: str = "value", type: str = "int", **more: Any) -> dict[str, Any]:
    return {"first": first, "last": last, "kind": kind, "type": type, **more}


CATALOG = {
    "engine": "vllm",
    "releases": [{"version": each, "how": "live", "source": "made up"} for each in (OLD, NEW)],
    "help": {},
    "registries": {},
    "flags": {
        "--stays": [record(OLD, NEW)],
        "--went": [record(OLD, OLD)],
        "--came": [record(NEW, NEW)],
        "--lost-a-name": [record(OLD, OLD, aliases=["--old-name"]), record(NEW, NEW)],
        "--lost-a-word": [
            record(OLD, OLD, type="text", choices=["a", "b"]),
            record(NEW, NEW, type="text", choices=["a", "c"]),
        ],
        "--now-a-list": [record(OLD, OLD), record(NEW, NEW, kind="list", type="text")],
        "--now-a-size": [record(OLD, OLD), record(NEW, NEW, type="size")],
        "--now-deprecated": [record(OLD, OLD), record(NEW, NEW, deprecated="use another")],
        "--now-default": [record(OLD, OLD, default=1), record(NEW, NEW, default=2)],
        "--gpu-memory-utilization": [
            record(OLD, OLD, type="float", default=0.9),
            record(NEW, NEW, type="float", default=0.92),
        ],
        "--max-num-seqs": [record(OLD, OLD, default=256), record(NEW, NEW)],
        "--tensor-parallel-size": [
            record(OLD, OLD, aliases=["-tp"]),
            record(NEW, NEW, aliases=["-tp"], deprecated="use another"),
        ],
    },
}


@pytest.fixture(autouse=True)
def catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    table = FlagTable(CATALOG)
    for module in (parser, spelling):
        monkeypatch.setattr(module, "flag_table", lambda _: table)


def upgraded(old: str = OLD, new: str = NEW, **stated: Any) -> Rewrite:
    return upgrade.plan("m", {"source": "a/b", **stated}, ENGINES["vllm"].table, (old, new))


def compiled_to(*args: str) -> Service:
    """Return what a model is compiled to that states `parallel.tensor: 2`, with these words for it."""
    model = {"source": "Qwen/Qwen3-8B", "gpus": 2, "context": 4096}
    data = {
        "version": 1,
        "name": "p",
        "gpus": {"h100": {"type": "h100-sxm-80gb", "count": 2}},
        "models": {"m": model},
        "routes": [{"path": "/m", "model": "m"}],
    }
    plan = specs.compiled(data, ("docker",), emit=False).plan
    assert plan is not None
    (service,) = plan.services
    return replace(service, launch=replace(service.launch, args=args))


def said(rewrite: Rewrite) -> list[tuple[Kind, str, str | None]]:
    return [(item.kind, item.subject, item.why) for item in rewrite.items if item.kind is not Kind.DEFAULT]


@pytest.mark.parametrize(
    ("key", "value", "kind", "why"),
    [
        ("went", 1, Kind.GONE, f"not there since {NEW}"),
        ("old-name", 1, Kind.RENAMED, "this spelling has gone"),
        ("lost-a-word", "b", Kind.CHANGED, "`b` is no longer taken; `a`, `c` are"),
        ("now-a-list", 1, Kind.CHANGED, "it takes a list of text; it took int"),
        ("now-deprecated", 1, Kind.CHANGED, "use another"),
        ("now-default", 2, Kind.SPARE, "it is the default now"),
    ],
)
def test_what_becomes_of_an_argument(key: str, value: Any, kind: Kind, why: str) -> None:
    assert said(upgraded(engine_args={key: value})) == [(kind, f"engine_args.{key}: {value}", why)]


@pytest.mark.parametrize(
    ("key", "value"),
    [("stays", 1), ("now-a-size", 1), ("lost-a-word", "a"), ("now-default", 1), ("lost-a-name", 1)],
)
def test_what_stays_is_not_spoken_of(key: str, value: Any) -> None:
    assert said(upgraded(engine_args={key: value})) == []


def test_an_older_release_takes_no_suffix() -> None:
    assert said(upgraded(NEW, OLD, engine_args={"now-a-size": "1k"})) == [
        (Kind.CHANGED, 'engine_args.now-a-size: "1k"', "it takes int; it took size")
    ]


def test_an_older_release_lacks_what_came_later() -> None:
    assert said(upgraded(NEW, OLD, engine_args={"came": 1})) == [
        (Kind.GONE, "engine_args.came: 1", f"not there yet in {OLD}")
    ]


def test_defaults_that_matter_are_told_where_nothing_states_them() -> None:
    subjects = [item.subject for item in upgraded().items]
    assert "gpu-memory-utilization (not given): 0.9 → 0.92" in subjects
    assert "max-num-seqs (not given): 256 → left to the engine" in subjects
    stated = upgraded(memory_fraction=0.8, engine_args={"max-num-seqs": 8})
    assert [item for item in stated.items if item.kind is Kind.DEFAULT] == []


@pytest.mark.parametrize("flag", ["--tensor-parallel-size", "-tp"])
def test_a_short_form_on_the_command_line_is_the_flag_itself(flag: str) -> None:
    stated = {"source": "a/b", "parallel": {"tensor": 2}}
    service = compiled_to("--seed", "-1", flag, "2")
    rewrite = upgrade.plan("m", stated, ENGINES["vllm"].table, (OLD, NEW), service)
    subject = f"`parallel.tensor`, compiled to {flag}"
    assert said(rewrite) == [(Kind.CHANGED, subject, "use another")]


@pytest.mark.parametrize("key", ["tensor-parallel-size", "-tp"])
@pytest.mark.parametrize("flag", ["--tensor-parallel-size", "-tp"])
def test_what_is_said_of_an_entry_is_not_said_again_of_its_flag(key: str, flag: str) -> None:
    stated = {"source": "a/b", "engine_args": {key: 2}}
    rewrite = upgrade.plan("m", stated, ENGINES["vllm"].table, (OLD, NEW), compiled_to(flag, "2"))
    assert [subject for _, subject, _ in said(rewrite)] == [f"engine_args.{key}: 2"]

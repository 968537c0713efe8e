"""What is said of `engine_args` is what the engines' own parsers say: for every flag of every release that is here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from support.settings import ENGINES, settings

from llmdeploy.catalog.flag_bounds import bounds
from llmdeploy.catalog.flag_changes import all_changes
from llmdeploy.catalog.flags import Flag, FlagTable, flag_table

# The engine, the version, and the name of its environment.
RELEASES = [
    pytest.param("vllm", "0.32.0", "vllm-0.32", marks=pytest.mark.xdist_group("vllm-0.32")),
    pytest.param("vllm", "0.33.0", "vllm-0.33", marks=pytest.mark.xdist_group("vllm-0.33")),
    pytest.param("sglang", "0.5.23", "sglang-0.5.23", marks=pytest.mark.xdist_group("sglang-0.5.23")),
]
REGISTRIES = {"--load-format": "load_format", "--attention-backend": "attention_backend"}

#: The parsers take any text for these, and what runs later does not.
OPEN = {
    *("--attention-backend", "--load-format"),  # looked up
    *("--additional-config", "--hf-overrides", "--json-model-override-args", "--model-loader-extra-config"),
}

#: What a flag wants beside itself, or else in the environment, which is not asked here.
BESIDE = {"--enable-log-outputs": ["--enable-log-requests"]}
WANTS_ANOTHER_FRONTEND = {"--grpc-port"}


@pytest.mark.parametrize(("engine", "version", "name"), RELEASES)
def test_what_is_accepted_is_accepted(oracle, engine, version, name):
    complaints = {}
    for flag in flags(engine, version):
        words, found = judged(engine, version, flag, right(flag, flag_table(engine), version))
        refused = [each for each in found if each.severity == "error"]
        complaint = oracle(name).complaint(argv(engine, [*words, *BESIDE.get(flag.name, ())]))
        if refused or complaint:
            complaints[flag.name] = [each.message for each in refused] or complaint
    assert complaints == {}, complaints


@pytest.mark.parametrize(("engine", "version", "name"), RELEASES)
def test_what_is_refused_is_refused(oracle, engine, version, name):
    taken = {}
    for flag in flags(engine, version):
        for value in wrong(flag):
            words, found = judged(engine, version, flag, value)
            text = [str(one) for one in value] if isinstance(value, list) else [str(value)]
            complaint = oracle(name).complaint(argv(engine, [flag.name, *text]))
            if not any(each.code == "LD319" for each in found) or not (complaint or flag.name in OPEN):
                taken[flag.name, str(value)] = (words, complaint)
    assert taken == {}


@pytest.mark.parametrize(("engine", "version", "name"), RELEASES)
def test_unknown_flags_are_refused_and_abbreviations_were_taken(oracle, engine, version, name):
    """An abbreviation is refused here alone: the parser completes it, for as long as nothing else begins so."""
    known = [flag.name for flag in flags(engine, version)]
    for flag in known[::10]:
        assert "unrecognized" in oracle(name).complaint(argv(engine, [flag + "x", "1"]))
        (found,) = lowered(engine, version, {flag + "x": 1})
        assert found.code in ("LD316", "LD317")
    (abbreviated,) = lowered(engine, version, {"max-queued" if engine == "sglang" else "max-logp": 5})
    short = "--max-queued" if engine == "sglang" else "--max-logp"
    assert abbreviated.code == "LD320"
    assert oracle(name).complaint(argv(engine, [short, "5"])) is None


@pytest.mark.xdist_group("vllm-0.33")
def test_fields_that_are_advised_are_fields(oracle):
    """The catalog knows that a flag takes JSON, and not what is in it."""
    complaints = {}
    for row in (each for each in all_changes() if each.engine == "vllm"):
        for advice in row.write:
            key, _, text = advice.removeprefix("engine_args: {").removesuffix("}").partition(": ")
            complaint = oracle("vllm-0.33").complaint(["org/model", f"--{key}", text or "1"]) or ""
            # Without a value it is the name alone that is advised.
            if "unexpected_keyword" in complaint or (complaint and text not in ("", "…")):
                complaints[row.name] = complaint
    assert complaints == {}


def flags(engine: str, version: str) -> Iterator[Flag]:
    """Every flag that is the user's; `--help` and its like end the program."""
    table = flag_table(engine)
    owned = {found.name for mine in ENGINES[engine].table.owned_flags if (found := table.find(mine, version))}
    for flag in table.at(version).values():
        if flag.name not in {*owned, *WANTS_ANOTHER_FRONTEND, "--help", "--version"}:
            yield flag


def judged(engine: str, version: str, flag: Flag, value: Any) -> tuple[list[str], list[Any]]:
    """The words that an argument becomes, and what is said of it."""
    plain = ENGINES[engine].lower(settings(engine, version=version)).launch.args
    result = ENGINES[engine].lower(settings(engine, version=version, engine_args={flag.name: value}))
    return list(result.launch.args[len(plain) :]), said(result)


def lowered(engine: str, version: str, engine_args: dict[str, Any]) -> list[Any]:
    return said(ENGINES[engine].lower(settings(engine, version=version, engine_args=engine_args)))


def said(result: Any) -> list[Any]:
    return [each for each in result.diagnostics if "engine_args" in each.path]


def argv(engine: str, words: list[str]) -> list[str]:
    return [*(["org/model"] if engine == "vllm" else ["--model-path", "org/model"]), *words]


def right(flag: Flag, table: FlagTable, version: str) -> Any:
    """A value that the flag takes."""
    one: Any = {"int": 1, "float": 0.5, "bool": True, "json": {}, "size": "32k", "text": "x"}[flag.type]
    least = max((row.ge or 0 for row in bounds(table.engine, flag.name)), default=0)
    if flag.type in ("int", "size") and least > 1:
        one = int(least)
    if flag.name in REGISTRIES and (known := table.registry(REGISTRIES[flag.name], version)):
        one = known[0]
    if flag.choices:
        one = flag.choices[-1]
    return [one] if flag.kind in ("list", "append") else one


def wrong(flag: Flag) -> Iterator[Any]:
    """Values that the flag does not take."""
    if flag.kind == "switch":
        yield "yes"
    elif flag.choices:
        yield "no-such"
    elif flag.type in ("int", "float"):
        yield "many"
    elif flag.type == "size":
        yield from ("many", "1.5Ki", "1.5K", "1Q")
    elif flag.type == "json":
        yield "{cut"
    elif flag.name in OPEN:
        yield "no-such"

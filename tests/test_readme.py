"""What the README shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from support.tools import engine_python

from llmdeploy.cli import _COMMANDS, cli
from llmdeploy.compiler import compile
from llmdeploy.diagnostics.render import render
from llmdeploy.memory.verdict import error_gib

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_the_file_that_it_shows_compiles_in_silence() -> None:
    (text,) = blocks("yaml")
    result = compile(text)
    assert result.diagnostics == ()
    assert result.artifacts


def test_the_error_that_it_shows_is_what_the_file_gives_with_three_gpus() -> None:
    (text,) = blocks("yaml")
    broken = compile(text.replace("gpus: 4", "gpus: 3"), file="llm.yaml")
    shown = next(block for block in blocks("console") if "validate" in block)
    assert (
        shown == "$ llmdeploy validate llm.yaml\n" + render(broken.diagnostics, broken.source, "full") + "\n"
    )


@pytest.mark.xdist_group("vllm-0.33")
def test_what_an_engine_says_is_what_it_says(tmp_path: Path) -> None:
    """With engine_args behind the context of the first model; the engine is where it is here."""
    (text,) = blocks("yaml")
    args = "    context: 32768\n    engine_args:\n      compilation-config: {level: 3}\n"
    spec = tmp_path / "llm.yaml"
    spec.write_text(text.replace("    context: 32768\n", args))
    place = engine_python("vllm-0.33").parent
    argv = ["validate", "--with-engine", "--engine-bin", f"vllm={place}", str(spec)]
    said = CliRunner().invoke(cli, argv).output.replace(str(spec), "llm.yaml")
    shown = next(block for block in blocks("console") if "--with-engine" in block)
    assert shown.partition("\n")[2] in said.replace("\n\n", "\n")


def test_the_plan_that_it_shows_is_the_hybrids() -> None:
    shown = next(block for block in blocks("console") if "plan" in block)
    command, *lines = shown.splitlines()
    arguments = command.removeprefix("$ llmdeploy ").split()
    plan = CliRunner().invoke(cli, [*arguments[:1], str(ROOT / arguments[1]), *arguments[2:]]).stdout
    for line in lines:
        assert line.partition("…")[0].rstrip() in plan, line


def test_the_engines_that_it_shows_are_what_the_command_prints() -> None:
    shown = next(block for block in blocks("console") if "llmdeploy engines" in block)
    command, *lines = shown.splitlines()
    assert command == "$ llmdeploy engines"
    printed = iter(CliRunner().invoke(cli, ["engines"]).stdout.splitlines())
    assert [line for line in lines if line not in ("", "…") and line not in printed] == []


def test_it_lists_every_command() -> None:
    table = README[README.index("| command |") : README.index("Exit status")]
    assert {name for name in _COMMANDS if f"`{name}" in table} == set(_COMMANDS)


def test_every_file_that_it_links_is_there() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_its_two_commands_are_targets_of_the_makefile_and_the_second_is_what_ci_runs() -> None:
    first, second = re.findall(r"^make (\w+)", blocks("sh")[0], re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in (first, second))
    assert f"make {second}" in (ROOT / ".ci" / "run").read_text()


def test_tight_is_as_wide_as_it_says() -> None:
    assert "half a GiB or 1.5 % of a card, whichever is\nmore" in README
    assert [error_gib(card) for card in (16, 100)] == [0.5, 1.5]


def test_the_page_that_it_names_for_architecture_lists_the_keys_without_which_memory_is_not_known() -> None:
    assert "(`llmdeploy explain LD359` shows the keys that it takes)" in README
    page = (ROOT / "llmdeploy" / "diagnostics" / "explain" / "LD359.md").read_text(encoding="utf-8")
    always = re.findall(r"`(\w+)`", page[page.index("`model_type`") : page.index(" always")])
    remedy = yaml.safe_load(page[page.index("## Instead") :].split("```")[1].removeprefix("yaml"))
    (model,) = remedy["models"].values()
    keys = model["architecture"]
    named = {"model_type", "architectures"}
    assert set(always) <= keys.keys() and "max_position_embeddings" in page
    for without in ({each} for each in {*always, "max_position_embeddings"} - named):
        assert "LD359" in _codes(remedy, keys, without), without
    assert "LD359" in _codes(remedy, keys, named)
    assert "LD359" not in _codes(remedy, keys, {"architectures"}) | _codes(remedy, keys, {"model_type"})


def _codes(data: Any, keys: dict[str, Any], without: set[str]) -> set[str]:
    (name, model), *_ = data["models"].items()
    left = {key: value for key, value in keys.items() if key not in without}
    changed = {**data, "models": {name: {**model, "architecture": left}}}
    return {each.code for each in compile(yaml.safe_dump(changed)).diagnostics}


def test_a_replica_across_nodes_is_the_error_that_it_names() -> None:
    assert "is an error (LD303)" in README
    (text,) = blocks("yaml")
    data = yaml.safe_load(text)
    data["gpus"]["h100"] |= {"count": 2, "nodes": 4}
    found = compile(yaml.safe_dump(data)).diagnostics
    assert {each.code for each in found if each.severity == "error"} == {"LD303"}


def test_examples_are_all_linked() -> None:
    examples = {path.parent.name for path in (ROOT / "examples").glob("*/llm.yaml")}
    assert {name for name in examples if f"examples/{name}" in README} == examples
    assert all(yaml.safe_load((ROOT / "examples" / name / "llm.yaml").read_text()) for name in examples)

"""What the README shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from support.tools import engine_python

from llmdeploy.cli import _COMMANDS, cli
from llmdeploy.compiler import compile
from llmdeploy.diagnostics.render import render

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


def test_examples_are_all_linked() -> None:
    examples = {path.parent.name for path in (ROOT / "examples").glob("*/llm.yaml")}
    assert {name for name in examples if f"examples/{name}" in README} == examples
    assert all(yaml.safe_load((ROOT / "examples" / name / "llm.yaml").read_text()) for name in examples)

"""A page of `llmdeploy explain`, read as data.

Fixed headings, one fenced block of each language under a heading. `yaml` is the llm.yaml. Where the file alone
does not tell, `sh` has commands for an empty directory that holds it: `llmdeploy …` is run by click's
CliRunner, all else by sh. What the last command prints is the output.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from llmdeploy.cli import cli
from llmdeploy.compiler import compile
from llmdeploy.diagnostics.render import render

HEADINGS = ["What it means", "Why it matters", "Example", "Output", "Instead"]

_HEADING = re.compile(r"^## (.+)\n", re.MULTILINE)
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OUTPUT = re.compile(r"(?<=^## Output\n\n```text\n).*?(?=^```$)", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Page:
    text: str

    @property
    def title(self) -> str:
        return self.text.partition("\n")[0]

    @property
    def headings(self) -> list[str]:
        return _HEADING.findall(self.text)

    @property
    def output(self) -> str:
        found = _OUTPUT.search(self.text)
        return found[0].rstrip("\n") if found else ""

    def blocks(self, heading: str) -> dict[str, str]:
        """Return the fenced blocks under a heading, by language."""
        _, *parts = _HEADING.split(self.text)
        return dict(_BLOCK.findall(dict(zip(parts[::2], parts[1::2], strict=True))[heading]))

    def with_output(self, output: str) -> str:
        return _OUTPUT.sub(lambda _: f"{output}\n", self.text, count=1)


def printed(blocks: dict[str, str], directory: Path) -> str:
    """Return what the blocks of an example give: the rendered findings, or what the last command prints."""
    if "sh" not in blocks:
        result = compile(blocks["yaml"])
        return render(result.diagnostics, result.source, "full")
    if "yaml" in blocks:
        (directory / "llm.yaml").write_text(blocks["yaml"])
    output = ""
    with chdir(directory):
        for line in blocks["sh"].splitlines():
            output = _run(line)
    return output.rstrip("\n")


def _run(line: str) -> str:
    program, *arguments = shlex.split(line)
    if program == "llmdeploy":
        return CliRunner(env={"NO_COLOR": "1"}).invoke(cli, arguments, catch_exceptions=False).output
    environment = {"PATH": os.environ["PATH"]}
    subprocess.run(["sh", "-euc", line], check=True, env=environment, stdin=subprocess.DEVNULL)
    return ""

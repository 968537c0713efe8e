"""A directory for --engine-bin, whose Python answers what a test wants instead of importing an engine."""

from __future__ import annotations

import sys
from pathlib import Path

HEARD = "heard.jsonl"


def lay(folder: Path, *body: str) -> Path:
    """Write `folder`/python3, a program of these lines; `say(…)` answers, `questions` are what is asked."""
    folder.mkdir(exist_ok=True)
    program = folder / "python3"
    lines = (
        f"#!{sys.executable}",
        "import json, os, signal, sys, time",
        "def say(**answer): print(json.dumps(answer), flush=True)",
        "def heard():",
        "    for line in sys.stdin:",
        f"        open({str(folder / HEARD)!r}, 'a').write(line)",
        "        yield json.loads(line)",
        "questions = heard()",
        *body,
    )
    program.write_text("\n".join(lines) + "\n")
    program.chmod(0o755)
    return folder


def answering(folder: Path, version: str, *answers: str) -> Path:
    """One that is imported at once and gives these answers, as keyword arguments, in turn."""
    return lay(
        folder,
        f"say(version={version!r})",
        "say(ready=True)",
        *(line for answer in answers for line in ("next(questions)", f"say({answer})")),
        "list(questions)",
    )

#!/usr/bin/env python3
"""A docker that runs nothing: it writes down what it is told and remembers what would be there.

As a program it is the `docker` of a script under test; its memory is the folder $RECORDING_DOCKER. As a
module it reads that back.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FLAGS = ["--init", "--read-only", "--rm"]
LISTS = [
    "--env",
    "--mount",
    "--label",
    "--network",
    "--network-alias",
    "--device",
    "--group-add",
    "--cap-drop",
    "--cap-add",
    "--security-opt",
    "--tmpfs",
    "--publish",
    "--log-opt",
]
VALUES = [
    "--name",
    "--gpus",
    "--shm-size",
    "--memory",
    "--user",
    "--entrypoint",
    "--restart",
    "--stop-timeout",
    "--stop-signal",
    "--health-cmd",
    "--health-interval",
    "--health-timeout",
    "--health-retries",
    "--health-start-period",
]


def parser() -> argparse.ArgumentParser:
    """The options of `docker create` that a script may use; any other is an error."""
    made = argparse.ArgumentParser(allow_abbrev=False, prog="docker create")
    for flag in FLAGS:
        made.add_argument(flag, action="store_true")
    for option in LISTS:
        made.add_argument(option, action="append", default=[])
    for option in VALUES:
        made.add_argument(option)
    made.add_argument("image")
    made.add_argument("words", nargs=argparse.REMAINDER)
    return made


@dataclass(frozen=True)
class Created:
    """A container as docker was told to make it."""

    options: argparse.Namespace
    environ: dict[str, str]

    @property
    def argv(self) -> tuple[str, ...]:
        return (self.options.entrypoint, *self.options.words)

    @property
    def env(self) -> dict[str, str]:
        """What stands on the command line; a bare name is taken from docker's own environment."""
        pairs = (entry.partition("=") for entry in self.options.env)
        return {key: value if equals else self.environ[key] for key, equals, value in pairs}

    @property
    def mounts(self) -> list[dict[str, str]]:
        rows = (next(csv.reader([text])) for text in self.options.mount)
        return [dict((*field.partition("=")[::2],) for field in row) for row in rows]

    @property
    def gpus(self) -> tuple[str, ...]:
        """Device ids: docker reads the value as CSV, of which `device=0,1` must be one field."""
        if self.options.gpus is None:
            return ()
        (field,) = next(csv.reader([self.options.gpus]))
        return tuple(field.removeprefix("device=").split(","))


class Docker:
    """Runs a script with this file as its docker."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(exist_ok=True)
        self.program = home / "docker"
        self.program.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {__file__} "$@"\n')
        self.program.chmod(0o755)

    def run(self, *script: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
        own = {"DOCKER": str(self.program), "RECORDING_DOCKER": str(self.home)}
        return subprocess.run(
            [*script], env={**os.environ, **own, **environ}, capture_output=True, text=True, timeout=60
        )

    @property
    def calls(self) -> list[dict[str, Any]]:
        log = self.home / "calls"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def forget_calls(self) -> None:
        (self.home / "calls").unlink(missing_ok=True)

    def changes(self) -> list[str]:
        """Return the commands that change something, each with the name that it is about."""
        found = []
        for call in self.calls:
            command, *words = call["argv"]
            if command in ("create", "run"):
                found.append(f"{command} {read(call).options.name}")
            elif command in ("start", "stop", "rm", "build"):
                found.append(f"{command} {words[-1]}")
        return found

    def created(self) -> dict[str, Created]:
        made = (read(call) for call in self.calls if call["argv"][0] in ("create", "run"))
        return {each.options.name: each for each in made}


def read(call: dict[str, Any]) -> Created:
    return Created(parser().parse_args(call["argv"][1:]), call["environ"])


def main(home: Path, argv: list[str]) -> int:
    with (home / "calls").open("a") as log:
        print(json.dumps({"argv": argv, "environ": dict(os.environ)}), file=log)
    memory = home / "memory"
    known = json.loads(memory.read_text()) if memory.exists() else {"containers": {}, "network": []}
    status = answer(known, *argv)
    memory.write_text(json.dumps(known))
    return status


def answer(known: dict[str, Any], command: str, *words: str) -> int:
    containers = known["containers"]
    match command:
        case "create":
            options = parser().parse_args(words)
            labels = dict(label.split("=", 1) for label in options.label)
            containers[options.name] = {"running": False, "labels": labels}
        case "start" | "stop":
            containers[words[-1]]["running"] = command == "start"
        case "rm":
            del containers[words[-1]]
        case "network" if words[0] == "create":
            known["network"].append(words[-1])
        case "network" if words[0] == "inspect":
            if words[-1] not in known["network"]:
                return 1
            print(words[-1])
        case "ps":
            print("\n".join(name for name, each in containers.items() if _passes(each, words)))
        case "inspect":
            if words[-1] not in containers:
                return 1
            print(_inspect(containers[words[-1]], words[1]))
        case "logs":
            print("last words")
    return 0


def _passes(container: dict[str, Any], words: tuple[str, ...]) -> bool:
    filters = [words[at + 1].removeprefix("label=") for at, word in enumerate(words) if word == "--filter"]
    labels = [f"{key}={value}" for key, value in container["labels"].items()] + list(container["labels"])
    return all(wanted in labels for wanted in filters) and ("--all" in words or container["running"])


def _inspect(container: dict[str, Any], form: str) -> str:
    if "Health" in form:
        return os.environ.get("RECORDING_HEALTH", "healthy 0")
    label = form.split('"')[1]
    value = container["labels"].get(label, "")
    return f"{str(container['running']).lower()} {value}" if "Running" in form else f"of {value}"


if __name__ == "__main__":
    sys.exit(main(Path(os.environ["RECORDING_DOCKER"]), sys.argv[1:]))

"""Asking a real engine what it thinks of a command line."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.tools import engine_python

HERE = Path(__file__).parent


class Oracle:
    """One engine's parser in a process of its own, answering until it is closed.

    Importing an engine takes seconds and judging an argv a fraction of one: keep it, ask it often.
    """

    def __init__(self, engine: str) -> None:
        """`engine` is the name of its environment below .tools: vllm-0.32, vllm-0.33, sglang-0.5.23."""
        script = HERE / f"{engine.partition('-')[0]}_oracle.py"
        # Its stderr: a pipe that nobody reads would fill up and block it.
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - open as long as the process
        self.process = subprocess.Popen(
            [engine_python(engine), script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            # The project's own environment must not reach into the engine's.
            env={key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VLLM_"))},
        )

    def complaint(
        self,
        argv: Sequence[str],
        config: Mapping[str, Any] | None = None,
        *,
        folder: Path | None = None,
        **machine: Any,
    ) -> str | None:
        """What the engine says against `argv` (which follows `vllm serve`); None when it accepts it.

        With the model's `config` (written to `folder`/config.json) its whole configuration is judged
        too, on a `machine` described by gpus, capability and memory_gib.
        """
        request: dict[str, Any] = {"argv": list(argv), **machine}
        if config is not None:
            assert folder is not None, "a config needs a folder to lie in"
            (folder / "config.json").write_text(json.dumps(config))
            request["config_dir"] = str(folder)
        assert self.process.stdin and self.process.stdout
        with contextlib.suppress(BrokenPipeError):  # told below, with its reason
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        if not (line := self.process.stdout.readline()):
            self.log.seek(0)
            raise RuntimeError(f"the engine ended:\n{self.log.read()[-2000:]}")
        answer = json.loads(line)
        return None if answer["ok"] else answer["error"]

    def close(self) -> None:
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait(timeout=30)
        self.log.close()

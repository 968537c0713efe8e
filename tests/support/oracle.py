"""Asking a real engine what it thinks of a command line: the judges of `validate --with-engine`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmdeploy.runtime.oracle.judge import Complaint, Judge, Question
from support.tools import engine_python


class Oracle:
    """One engine's parser in a process of its own, answering until it is closed.

    Importing an engine takes seconds and judging an argv a fraction of one: keep it, ask it often.
    """

    def __init__(self, engine: str) -> None:
        """`engine` is the name of its environment below .tools: vllm-0.32, vllm-0.33, sglang-0.5.23."""
        python = engine_python(engine)
        # What vLLM finds out about a model's class, kept where the engine is.
        env = {"VLLM_CACHE_ROOT": str(python.parents[1] / "cache")}
        self._judge = Judge(engine.partition("-")[0], python, env)

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
        found = self.judged(argv, config, folder=folder, **machine)
        return found.text if found else None

    def judged(
        self,
        argv: Sequence[str],
        config: Mapping[str, Any] | None = None,
        *,
        folder: Path | None = None,
        **machine: Any,
    ) -> Complaint | None:
        """Like `complaint`, with what it was at when it complained."""
        if config is not None:
            assert folder is not None, "a config needs a folder to lie in"
            (folder / "config.json").write_text(json.dumps(config))
            machine["config_dir"] = str(folder)
        return self._judge.complaint(Question(tuple(argv), **machine))

    def close(self) -> None:
        self._judge.close()

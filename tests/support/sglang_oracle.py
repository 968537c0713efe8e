"""SGLang's own judgement of an argv. Run by the Python of `.tools/sglang-0.5.23`.

Reads one JSON request a line, `{"argv": ["--model-path", ...]}` (what follows `sglang serve`), and
answers each with one line, `{"ok": bool, "error": str | null}`. The command line is parsed as SGLang
parses it, its `--config` file included; what its server makes of the values is not judged.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
from typing import Any
from unittest.mock import MagicMock

# SGLang imports its GPU compiler, a gigabyte, on the way to its parser, and asks it nothing there.
for module in ("triton", "triton.language"):
    sys.modules[module] = MagicMock()

from sglang.srt.server_args import ServerArgs  # noqa: E402  (needs the stand-ins above)


def parse(argv: list[str]) -> None:
    """The first steps of sglang.srt.server_args.prepare_server_args."""
    parser = argparse.ArgumentParser(prog="sglang serve")
    ServerArgs.add_cli_args(parser)
    if "--config" in argv:
        from sglang.srt.utils.server_args_config_parser import ConfigArgumentMerger

        argv = ConfigArgumentMerger(parser).merge_config_with_args(argv)
    parser.parse_args(argv)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            parse(request["argv"])
    except SystemExit as exit:  # argparse has printed its reason
        if exit.code:
            return {"ok": False, "error": said.getvalue().strip().rpartition("\n")[2]}
    except Exception as error:
        return {"ok": False, "error": f"{type(error).__name__}: {error}"}
    return {"ok": True, "error": None}


def main() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()

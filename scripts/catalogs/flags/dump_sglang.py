"""Print the flags of the SGLang that this Python imports.

    PYTHONPATH=UNPACKED .tools/sglang-0.5.23/bin/python dump_sglang.py [--stand-in MODULE ...] > records.json

What vLLM looks up after parsing SGLang has as choices, so its one registry is that of its variables.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

from answers import stdout_alone
from parser_records import records
from stand_in import stand_in

# A field of sglang.srt.environ's Envs, or a text anywhere: SGLang reads some without declaring them.
_VARIABLE = re.compile(
    r"^    ((?:SGLANG|SGL)_[A-Z0-9_]+) *[:=]|[\"']((?:SGLANG|SGL)_[A-Z0-9_]+)[\"']", re.MULTILINE
)


def variables(package: Path) -> list[str]:
    """Every variable of its own that SGLang may read, from its sources: too many rather than too few."""
    texts = (path.read_text(errors="replace") for path in sorted(package.rglob("*.py")))
    return sorted({name for text in texts for groups in _VARIABLE.findall(text) for name in groups if name})


def forgive_known_models() -> None:
    """Let a release register models that the installed transformers knows by now."""
    from transformers import AutoConfig

    register = AutoConfig.register
    AutoConfig.register = lambda name, config, exist_ok=False: register(name, config, exist_ok=True)


def main() -> None:
    stand_in(sys.argv[1:])
    answers = stdout_alone()
    forgive_known_models()
    import sglang
    from sglang.srt.server_args import ServerArgs
    from sglang.version import __version__

    parser = argparse.ArgumentParser(prog="sglang serve")
    ServerArgs.add_cli_args(parser)
    registries = {"env": variables(Path(sglang.__file__).parent)}
    json.dump(
        {"version": __version__, "flags": records(parser), "registries": registries},
        answers,
    )
    answers.close()


if __name__ == "__main__":
    main()

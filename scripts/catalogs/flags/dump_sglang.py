"""Print the flags of the SGLang that this Python imports.

    PYTHONPATH=UNPACKED .tools/sglang-0.5.23/bin/python dump_sglang.py [--stand-in MODULE ...] > records.json

What vLLM looks up after parsing SGLang has as choices, so it has no registries.
"""

from __future__ import annotations

import argparse
import json
import sys

from parser_records import records
from stand_in import stand_in


def main() -> None:
    stand_in(sys.argv[1:])
    answers, sys.stdout = sys.stdout, sys.stderr
    from sglang.srt.server_args import ServerArgs
    from sglang.version import __version__

    parser = argparse.ArgumentParser(prog="sglang serve")
    ServerArgs.add_cli_args(parser)
    json.dump({"version": __version__, "flags": records(parser), "registries": {}}, answers)


if __name__ == "__main__":
    main()

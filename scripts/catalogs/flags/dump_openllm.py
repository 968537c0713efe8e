"""Print the options of `openllm serve` of the OpenLLM that this Python imports.

    PYTHONPATH=UNPACKED .tools/vllm-0.32/bin/python dump_openllm.py [--stand-in MODULE ...] > records.json

These are the command line's own. What a Bento takes by `--arg` is in llmdeploy/catalog/bentos.json.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from typing import Any

from answers import stdout_alone
from record import Record, compact, first_sentence
from stand_in import stand_in


def option(parameter: Any) -> Record:
    name = max(parameter.opts, key=len)
    kind = "append" if parameter.multiple else "switch" if parameter.is_flag else "value"
    return compact(
        {
            "name": name,
            "kind": kind,
            # Newer releases of typer know no click types; the default tells as much.
            "type": {bool: "bool", int: "int"}.get(type(parameter.default), "text"),
            "aliases": sorted(set(parameter.opts) - {name}),
            "negations": sorted(parameter.secondary_opts),
            "hidden": sorted([*parameter.opts, *parameter.secondary_opts]) if parameter.hidden else [],
            "default": parameter.default if isinstance(parameter.default, str | int | bool) else None,
            "help": first_sentence(parameter.help or ""),
        }
    )


def main() -> None:
    stand_in(sys.argv[1:])
    answers = stdout_alone()
    from openllm.__main__ import app
    from typer.main import get_command

    serve = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    rows = [option(parameter) for parameter in serve.params if parameter.param_type_name == "option"]
    json.dump(
        {
            "version": importlib.metadata.version("openllm"),
            "flags": {row.pop("name"): row for row in rows},
            "registries": {},
        },
        answers,
    )
    answers.close()


if __name__ == "__main__":
    main()

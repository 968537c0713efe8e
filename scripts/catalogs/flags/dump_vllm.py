"""Print the flags of the vLLM that this Python imports, and the values that it looks up after parsing.

    PYTHONPATH=UNPACKED .tools/vllm-0.32/bin/python dump_vllm.py [--stand-in MODULE ...] > records.json

UNPACKED has the sources of another release, which are imported with the packages that are installed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, get_args

from answers import stdout_alone
from parser_records import records
from stand_in import stand_in

# Set before vLLM is imported: it parses on a machine without a GPU, asks nobody and says little.
os.environ.update(
    VLLM_TARGET_DEVICE="cpu",
    VLLM_NO_USAGE_STATS="1",
    VLLM_LOGGING_LEVEL="ERROR",
    HF_HUB_OFFLINE="1",
    VLLM_CACHE_ROOT=f"{sys.prefix}/cache",
)

# Each thing with its homes, the newest first.
PARSER = (
    "vllm.entrypoints.common.cli_args:make_arg_parser",
    "vllm.entrypoints.launchers.cli_args:make_arg_parser",
    "vllm.entrypoints.openai.cli_args:make_arg_parser",
)
REGISTRIES: dict[str, tuple[tuple[str, ...], Callable[[Any], Iterable[str]]]] = {
    "attention_backend": (
        ("vllm.v1.attention.backends.registry:AttentionBackendEnum",),
        lambda backends: backends.__members__,
    ),
    # What vLLM warns of is what this lacks (vllm/platforms/interface.py, validate_environ).
    "env": (("vllm.envs:environment_variables",), list),
    "kv_cache_dtype": (("vllm.config.cache:CacheDType",), get_args),
    "load_format": (("vllm.model_executor.model_loader:LoadFormats",), get_args),
    "quantization": (("vllm.model_executor.layers.quantization:QUANTIZATION_METHODS",), list),
    "reasoning_parser": (
        ("vllm.reasoning:ReasoningParserManager",),
        lambda manager: manager.list_registered(),
    ),
    "tool_parser": (("vllm.tool_parsers:ToolParserManager",), lambda manager: manager.list_registered()),
}


def find(homes: Iterable[str]) -> Any:
    for home in homes:
        module, _, name = home.partition(":")
        try:
            return getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as missing:
            if not module.startswith(missing.name or "?"):
                raise
        except AttributeError:
            continue
    raise SystemExit(f"in none of {', '.join(homes)}")


def bounds(parser: argparse.ArgumentParser) -> dict[str, dict[str, float]]:
    """What each number may be, by the field of the class that the group of its flag is named after.

    The parser takes any number; pydantic refuses one out of bounds when the class is made.
    """
    found: dict[str, dict[str, float]] = {}
    homes = importlib.import_module("vllm.config")
    for group in parser._action_groups:
        fields = dict(_fields(getattr(homes, group.title or "", None)))
        for action in group._group_actions:
            limits = {
                word: getattr(limit, word)
                for limit in fields.get(action.dest, ())
                for word in ("ge", "gt", "le", "lt")
                if hasattr(limit, word)
            }
            found |= dict.fromkeys(action.option_strings, limits) if limits else {}
    return found


def _fields(config: Any) -> Iterator[tuple[str, Any]]:
    """Each field with what holds it; OffloadConfig has classes of its own within."""
    for name, field in getattr(config, "__pydantic_fields__", {}).items():
        yield from _fields(field.annotation)
        yield name, field.metadata


def main() -> None:
    stand_in(sys.argv[1:])
    # vLLM reads the help texts, which are comments in its source, only for one who asks for them.
    sys.argv[1:] = ["--help"]
    answers = stdout_alone()
    parser_class = find(("vllm.utils.argparse_utils:FlexibleArgumentParser",))
    parser = find(PARSER)(parser_class(prog="vllm serve"))
    flags, limits = records(parser), bounds(parser)
    json.dump(
        {
            "version": find(("vllm.version:__version__",)).partition("+")[0],
            "flags": {
                name: row | ({"bounds": limits[name]} if name in limits else {})
                for name, row in flags.items()
            },
            "registries": {name: sorted(read(find(homes))) for name, (homes, read) in REGISTRIES.items()},
        },
        answers,
    )
    answers.close()


if __name__ == "__main__":
    main()

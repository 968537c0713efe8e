"""Run by vLLM's own Python: start engines by their command lines, one after the other, and tell what they hold.

    python inside_vllm.py < [["vllm", "serve", "/model", "--dtype", "bfloat16"], ...]    # a JSON object for each, a line each

`weights` are the bytes of parameters and buffers as loaded, and of those that are made of them for good: a CPU's own
layouts replace what they are made of, and are not counted again. `kv_tokens` and `at_once` are what the engine logs of its KV cache.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from typing import Any

os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"

import torch
from vllm.distributed import cleanup_dist_env_and_memory
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.launchers.cli_args import make_arg_parser
from vllm.model_executor.model_loader import base_loader
from vllm.usage.usage_lib import UsageContext
from vllm.utils.argparse_utils import FlexibleArgumentParser
from vllm.v1.engine.llm_engine import LLMEngine


def held(model: torch.nn.Module) -> dict[str, int]:
    """Return the bytes of each parameter and buffer by its name: one that is tied has one name here."""
    named = [*model.named_parameters(), *model.named_buffers()]
    return {name: tensor.numel() * tensor.element_size() for name, tensor in named}


def start(argv: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    finish = base_loader.process_weights_after_loading

    def watched(model: torch.nn.Module, *args: Any, **more: Any) -> None:
        loaded = held(model)
        finish(model, *args, **more)
        found["weights"] = sum({**held(model), **loaded}.values())

    base_loader.process_weights_after_loading = watched
    try:
        engine = LLMEngine.from_engine_args(parsed(argv), usage_context=UsageContext.OPENAI_API_SERVER)
    finally:
        base_loader.process_weights_after_loading = finish
    cache = engine.vllm_config.cache_config
    found["kv_tokens"], found["at_once"] = cache.kv_cache_size_tokens, cache.kv_cache_max_concurrency
    found["block"] = cache.block_size
    del engine, cache
    gc.collect()
    cleanup_dist_env_and_memory()
    return found


def parsed(argv: list[str]) -> AsyncEngineArgs:
    """Read a command line as `vllm serve` does; the model stands first."""
    args = make_arg_parser(FlexibleArgumentParser(prog="vllm serve")).parse_args(argv[2:])
    args.model = args.model_tag or args.model
    return AsyncEngineArgs.from_cli_args(args)


def main() -> int:
    for argv in json.load(sys.stdin):
        print("\n" + json.dumps(start(argv)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

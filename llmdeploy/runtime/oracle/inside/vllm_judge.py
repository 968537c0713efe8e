"""vLLM's own judgement of a command line, without a GPU. Run by the Python that has vLLM; see answering.py.

Without a config.json only the command line is parsed. With it, vLLM also builds its whole engine
configuration for that model, which is where it finds parallelism that does not divide, unknown
quantization methods and impossible lengths. That takes no weights and no tokenizer.

vLLM on a CPU refuses or rewrites what is right on a GPU (and knows no world size too large), so its
own CUDA platform stands in, with the few methods that ask the driver answering from the request.
Not judged: what a worker finds out while it loads, memory above all.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from collections.abc import Mapping
from typing import Any

from answering import Stage, serve

# Set before vLLM is imported. CPU is what the build can load; the platform is exchanged below.
os.environ.update(
    VLLM_TARGET_DEVICE="cpu",
    VLLM_NO_USAGE_STATS="1",
    VLLM_LOGGING_LEVEL="ERROR",
    HF_HUB_OFFLINE="1",
)

# The parser and its companions have moved twice: 0.29 and 0.33.
HOMES = (
    "vllm.entrypoints.common.cli_args",
    "vllm.entrypoints.launchers.cli_args",
    "vllm.entrypoints.launchers.launcher",
    "vllm.entrypoints.openai.cli_args",
    "vllm.entrypoints.openai.api_server",
)

GIB = 1 << 30


def stand_in_for_cuda() -> Any:
    """Make vLLM believe in NVIDIA GPUs; returns the platform class, whose attributes describe them."""
    from vllm.platforms import current_platform

    # Many layers look for compiled kernels while they are imported: let them see the CPU they run on.
    importlib.import_module("vllm.engine.arg_utils")
    importlib.import_module("vllm.model_executor.model_loader.weight_utils")
    quantization = importlib.import_module("vllm.model_executor.layers.quantization")
    quantization.get_quantization_config("fp8")  # imports every method's module

    # CUDA's platform module loads kernels that need the CUDA runtime; no configuration needs them.
    sys.modules["vllm._C_stable_libtorch"] = types.ModuleType("vllm._C_stable_libtorch")
    from vllm.platforms.cuda import CudaPlatformBase
    from vllm.platforms.interface import DeviceCapability

    class Gpus(CudaPlatformBase):  # type: ignore[misc]
        count, capability, memory_gib = 1, (9, 0), 80

        @classmethod
        def device_count(cls) -> int:
            return cls.count

        @classmethod
        def get_device_capability(cls, device_id: int = 0) -> DeviceCapability:
            return DeviceCapability(*cls.capability)

        @classmethod
        def get_device_total_memory(cls, device_id: int = 0) -> int:
            return int(cls.memory_gib * GIB)

        @classmethod
        def get_device_name(cls, device_id: int = 0) -> str:
            return "NVIDIA stand-in"

        @classmethod
        def num_compute_units(cls, device_id: int = 0) -> int:
            return 132

        @classmethod
        def is_fully_connected(cls, physical_device_ids: list[int]) -> bool:
            return True

        @classmethod
        def is_integrated_gpu(cls, device_id: int = 0) -> bool:
            return False

    # Modules hold on to the platform object itself, so the object changes its class.
    current_platform.__class__ = Gpus
    return Gpus


def find(name: str) -> Any:
    for home in HOMES:
        try:
            return getattr(importlib.import_module(home), name)
        except (ModuleNotFoundError, AttributeError):
            continue
    raise SystemExit(f"vLLM's {name} is in none of {', '.join(HOMES)}")


class Vllm:
    """What `vllm serve` does with its arguments before it loads anything, in its order."""

    def __init__(self) -> None:
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.reasoning import ReasoningParserManager
        from vllm.utils.argparse_utils import FlexibleArgumentParser

        self.gpus = stand_in_for_cuda()
        self.engine_args = AsyncEngineArgs
        self.parser = find("make_arg_parser")(FlexibleArgumentParser(prog="vllm serve"))
        self.reasoning_parser = ReasoningParserManager.get_reasoning_parser
        self.checks = [find("validate_parsed_serve_args"), find("validate_api_server_args")]

    def judge(self, request: Mapping[str, Any], at: Stage) -> None:
        """Raise whatever vLLM raises for this request."""
        self.gpus.count = request["gpus"]
        self.gpus.capability = tuple(request["capability"])
        self.gpus.memory_gib = request["memory_gib"]
        # Not parse_known_args: only parse_args normalises `_` and the dotted form of JSON flags.
        arguments = self.parser.parse_args(request["argv"])
        arguments.chat_template = None  # a file in the container, not here
        for check in self.checks:
            check(arguments)
        if arguments.reasoning_parser and not arguments.reasoning_parser_plugin:
            self.reasoning_parser(arguments.reasoning_parser)
        if config_dir := request.get("config_dir"):
            at("configuration")
            arguments.model = config_dir
            arguments.skip_tokenizer_init = True
            arguments.reasoning_parser = (
                ""  # it would ask the tokenizer, and its name has been looked up above
            )
            config = self.engine_args.from_cli_args(arguments).create_engine_config()
            # The worker asks this first thing; bfloat16 on a T4 fails here.
            self.gpus.check_if_supports_dtype(config.model_config.dtype)


if __name__ == "__main__":
    serve("vllm", lambda: Vllm().judge)

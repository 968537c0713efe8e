"""SGLang's own judgement of a command line, without a GPU. Run by the Python that has SGLang; see answering.py.

The command line is parsed as SGLang parses it, its `--config` file included. With a config.json, its server's
settings are resolved and checked for that model too, as before a launch: impossible lengths, and flags that
exclude each other. Whether heads divide, and what an architecture lacks, SGLang finds out while it loads.

SGLang keeps what it knows of the machine in one place that can be overridden; the few modules that ask the
driver beside it are answered here as well.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from answering import Judge, Stage, serve

# Set before SGLang is imported.
os.environ.update(HF_HUB_OFFLINE="1", SGLANG_USE_CPU_ENGINE="0")

_LATER = ("configs.model_config", "layers.quantization", "arg_groups.pipeline")


def load() -> Judge:
    from sglang.srt.server_args import ServerArgs

    # What a configuration is judged with is imported when it is first needed: in every answer, that is.
    for name in _LATER:
        importlib.import_module(f"sglang.srt.{name}")

    def judge(request: Mapping[str, Any], at: Stage) -> None:
        """Take the steps of sglang.srt.server_args.prepare_server_args, and those of a launch that follow it."""
        argv = _without_missing_file(request["argv"])
        parser = argparse.ArgumentParser(prog="sglang serve")
        ServerArgs.add_cli_args(parser)
        if "--config" in argv:
            from sglang.srt.utils.server_args_config_parser import ConfigArgumentMerger

            argv = ConfigArgumentMerger(parser).merge_config_with_args(argv)
        arguments = parser.parse_args(argv)
        if config_dir := request.get("config_dir"):
            at("configuration")
            logging.disable(logging.CRITICAL)
            _stand_in_for_cuda(request["capability"], request["memory_gib"])
            arguments.model_path, arguments.device = config_dir, "cuda"
            arguments.chat_template = None  # a file in the container, not here
            settings = ServerArgs.from_cli_args(arguments)
            settings.resolve_once()
            settings.check_server_args()

    return judge


def _stand_in_for_cuda(capability: list[int], memory_gib: float) -> None:
    """Make SGLang believe in NVIDIA GPUs of this capability and memory, with the libraries that its image has."""
    import torch
    from sglang.srt.runtime_context import override_platform

    major, minor = capability
    override_platform(
        **dict.fromkeys(["is_hip", "is_npu", "is_xpu", "is_musa", "is_mps"], False),
        is_cuda=True,
        is_sm90=major == 9,
        is_hopper_with_cuda_12_3=major == 9,
        is_sm100=major == 10,
        is_sm110=major == 11,
        is_sm100_or_sm110=major in (10, 11),
        is_sm120=major == 12,
        is_blackwell=major in (10, 11, 12),
        has_flashinfer=True,
        device_sm=major * 10 + minor,
        device_capability=(major, minor),
    ).install()
    torch.cuda.get_device_capability = lambda device=None: (major, minor)
    answers = {
        "is_cuda": lambda: True,
        "get_device_sm": lambda: major * 10 + minor,
        "get_device_capability": lambda device_id=0: (major, minor),
        "get_device_memory_capacity": lambda device=None: memory_gib * 1024,
    }
    for name, module in list(sys.modules.items()):
        if name.startswith("sglang.srt."):
            vars(module).update({key: answer for key, answer in answers.items() if key in vars(module)})
        if name.startswith("sglang.srt.layers.quantization.") and "_is_cuda" in vars(module):
            vars(module)["_is_cuda"] = True
    # The one method that is registered for some platforms alone, CUDA among them.
    quantization = sys.modules["sglang.srt.layers.quantization"]
    quantization.QUANTIZATION_METHODS.setdefault("mxfp4", quantization.Mxfp4Config)


def _without_missing_file(argv: list[str]) -> list[str]:
    """Leave out `--config FILE` where the file, which has the API key, is made by the container alone."""
    if "--config" not in argv:
        return argv
    at = argv.index("--config")
    return argv if Path(argv[at + 1]).exists() else argv[:at] + argv[at + 2 :]


if __name__ == "__main__":
    serve("sglang", load)

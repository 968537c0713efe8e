"""What an engine is told of a model: its config.json, in a folder of its own, where this machine has it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

CONFIG = "config.json"
_QUANTIZATION = "hf_quant_config.json"
"""Where ModelOpt keeps a checkpoint's quantization."""


class NoConfig(Exception):  # noqa: N818  a reason, read as "no config: …"
    """The configuration cannot be judged; the text says why, `help` what to do about it."""

    def __init__(self, why: str, help: str | None = None) -> None:
        super().__init__(why)
        self.help = help


def laid_out(checkpoint: Path, folder: Path, *, remote_code: bool) -> None:
    """Copy what describes a checkpoint into `folder`, and nothing that runs or weighs. Raises NoConfig."""
    config = _read(checkpoint / CONFIG)
    if remote_code and isinstance(config.get("auto_map"), dict) and "AutoConfig" in config["auto_map"]:
        raise NoConfig("it is read by code of the model's own repository, which is not run here")
    (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")
    if (checkpoint / _QUANTIZATION).is_file():
        shutil.copyfile(checkpoint / _QUANTIZATION, folder / _QUANTIZATION)


def _read(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NoConfig(f"`{path.name}` cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError):
        raise NoConfig(f"`{path.name}` is not JSON") from None
    if not isinstance(config, dict):
        raise NoConfig(f"`{path.name}` is not a JSON object")
    return config

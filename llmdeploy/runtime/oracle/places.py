"""Where an engine is installed on this machine, and where the checkpoint of a model lies."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path


def python_of(engine: str, programs: Mapping[str, Path]) -> Path | None:
    """Return the Python that has the engine: in the directory named for it, our own, or that of the one on PATH.

    `programs` has a directory for each engine, and under "" for all others.
    """
    if (folder := programs.get(engine) or programs.get("")) is not None:
        return _beside(folder / engine) or _in(folder)
    if find_spec(engine) is not None:
        return Path(sys.executable)
    found = shutil.which(engine)
    return _beside(Path(found)) if found else None


def _beside(program: Path) -> Path | None:
    """Return the Python that runs a program: the one in its first line, else that of its environment."""
    try:
        first = program.read_bytes()[:256].partition(b"\n")[0].decode("utf-8", "replace")
    except OSError:
        return None
    named = Path(first.removeprefix("#!").strip())
    if first.startswith("#!/") and named.name.startswith("python") and os.access(named, os.X_OK):
        return named
    # uv and pipx lay links to a program elsewhere, and installers start with a shell where a path is long.
    return _in(program.resolve().parent)


def _in(folder: Path) -> Path | None:
    # Not resolved: what makes an environment's Python its own is where its link lies.
    python = folder / "python3"
    return python if os.access(python, os.X_OK) else None


def cached(hub_id: str, revision: str | None, environ: Mapping[str, str]) -> Path | None:
    """Return the directory of a model in this machine's Hub cache, where it has its config.json.

    The layout is huggingface_hub's: docs/source/en/guides/manage-cache.md; the variables, its constants.py.
    """
    cache = Path(environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    home = Path(environ.get("HF_HOME") or cache)
    hub = Path(
        environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE") or home / "hub"
    ).expanduser()
    model = hub / f"models--{hub_id.replace('/', '--')}"
    wanted = revision or "main"
    try:
        commit = (model / "refs" / wanted).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        commit = wanted
    snapshot = model / "snapshots" / commit
    return snapshot if (snapshot / "config.json").is_file() else None

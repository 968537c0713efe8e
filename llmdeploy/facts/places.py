"""Where facts of Hub repositories are kept on this machine: our own cache, and huggingface_hub's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct


class Places(Struct, frozen=True):
    """`own` holds what `--online` fetched, `hub` is huggingface_hub's cache of repositories."""

    own: Path
    hub: Path

    def known(self, hub_id: str) -> bool:
        """Tell, at the price of two stats, whether anything is known of a repository."""
        folder = folder_of(hub_id)
        return (self.own / folder).is_dir() or (self.hub / folder).is_dir()


def places(environ: Mapping[str, str]) -> Places:
    """Return the directories that an environment stands for. Source: huggingface_hub 2.4, constants.py."""
    home = environ.get("HOME") or str(Path("~").expanduser())
    cache = environ.get("XDG_CACHE_HOME") or f"{home}/.cache"
    huggingface = environ.get("HF_HOME") or f"{cache}/huggingface"
    hub = environ.get("HF_HUB_CACHE") or f"{huggingface}/hub"
    own = environ.get("LLMDEPLOY_CACHE") or f"{cache}/llmdeploy"
    return Places(_path(f"{own}/hub", home), _path(hub, home))


def folder_of(hub_id: str) -> str:
    """Return huggingface_hub's name for the folder of a repository."""
    return f"models--{hub_id.replace('/', '--')}"


def _path(text: str, home: str) -> Path:
    return Path(home + text[1:] if text.startswith("~/") else text)

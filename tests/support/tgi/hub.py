"""Where the files of MODEL_ID are: a directory, or a snapshot in the Hub cache. Nothing is downloaded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from support.tgi.flags import DATA

# The rules of huggingface_hub for a repository's name.
_NAME = re.compile(r"(\b[\w\-.]+\b/)?\b[\w\-.]{1,96}\b", re.ASCII)


class Missing(Exception):  # noqa: N818  why the files are not there
    """What the Python side of TGI raises: the error's class and its text."""


@dataclass(frozen=True, slots=True)
class Files:
    """`config` is what the launcher reads; `seen` is where the router looks, which can be nowhere."""

    config: dict[str, Any] | None
    seen: Path | None

    @property
    def quantize(self) -> str | None:
        """The quantization of the checkpoint. The launcher hands it on as if it had been asked for."""
        method = ((self.config or {}).get("quantization_config") or {}).get("quant_method")
        return method if method in DATA["enums"]["Quantization"] else None

    @property
    def positions(self) -> int | None:
        config = self.config or {}
        names = ("max_position_embeddings", "max_seq_len", "n_positions")
        return next((config[name] for name in names if isinstance(config.get(name), int)), None)

    def has_chat_template(self, tokenizer_config: str | None) -> bool:
        """TGI knows tokenizer_config.json and chat_template.json, and no chat_template.jinja."""
        places = [Path(tokenizer_config)] if tokenizer_config else []
        if self.seen:
            places += [] if places else [self.seen / "tokenizer_config.json"]
            places.append(self.seen / "chat_template.json")
        return any(_is_template((_json(place) or {}).get("chat_template")) for place in places)


def files(args: SimpleNamespace, environ: Mapping[str, str]) -> Files:
    """Return what is there. Missing is raised by `download`, later, as in TGI."""
    local = Path(args.model_id)
    if local.exists():
        # With a revision the router asks the cache, also for what lies in a directory.
        seen = local if local.is_dir() and args.revision is None else None
        return Files(_json(local / "config.json"), seen)
    snapshot = _snapshot(args.model_id, args.revision, environ)
    return Files(_json(snapshot / "config.json") if snapshot else None, snapshot)


def download(args: SimpleNamespace, environ: Mapping[str, str]) -> None:
    """Raise Missing where `text-generation-server download-weights` would fail.

    TGI also fails without a file of weights. This serves none, so it asks for none.
    """
    name = args.model_id
    if Path(name).is_dir() or _snapshot(name, args.revision, environ):
        return
    if name.count("/") > 1:
        form = "Repo id must be in the form 'repo_name' or 'namespace/repo_name'"
        raise Missing(f"HFValidationError: {form}: '{name}'. Use `repo_type` argument if needed.")
    if not _NAME.fullmatch(name) or "--" in name or ".." in name:
        raise Missing(
            "HFValidationError: Repo id must use alphanumeric chars or '-', '_', '.', '--' and '..' are "
            f"forbidden, '-' and '.' cannot start or end the name, max length is 96: '{name}'."
        )
    if environ.get("HF_HUB_OFFLINE", "0").lower() in ("true", "1", "yes"):
        raise Missing(
            f"EntryNotFoundError: No .bin weights found for model {name} and revision {args.revision}."
        )
    raise Missing(f"LocalEntryNotFoundError: {name} is not cached, and this stand-in downloads nothing.")


def cache(environ: Mapping[str, str]) -> Path:
    """Return the Hub cache. HF_HUB_CACHE is not heard: TGI imports the constant of the older name."""
    home = environ.get("HF_HOME")
    if not home:
        home = environ.get("XDG_CACHE_HOME", "~/.cache") + "/huggingface"
    return Path(environ.get("HUGGINGFACE_HUB_CACHE") or f"{home}/hub").expanduser()


def _snapshot(name: str, revision: str | None, environ: Mapping[str, str]) -> Path | None:
    repository = cache(environ) / ("models--" + name.replace("/", "--"))
    wanted = revision or "main"
    reference = repository / "refs" / wanted
    if reference.is_file():
        wanted = reference.read_text()
    found = repository / "snapshots" / wanted
    return found if found.is_dir() else None


def _is_template(found: Any) -> bool:
    """One template, or several of which one is the default."""
    if isinstance(found, list):
        return any(each.get("name") == "default" for each in found)
    return isinstance(found, str)


def _json(path: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None

"""What is kept on this machine of Hub repositories: config.json and the headers of weights, by id and revision."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from llmdeploy.facts import safetensors
from llmdeploy.facts.flaw import Damaged
from llmdeploy.facts.places import Places, folder_of
from llmdeploy.facts.weights import stated
from llmdeploy.memory.model import Model, Tensor

COMMIT = re.compile(r"[0-9a-f]{40}")
DEFAULT_REVISION = "main"
_FORMAT = 1


class Kept(msgspec.Struct, frozen=True):
    """One file of our own cache. `tensors` stay text until they are asked for: they are most of it."""

    format: int
    commit: str
    config: dict[str, Any]
    tensors: msgspec.Raw


class Repository(msgspec.Struct, frozen=True):
    """What this machine knows of one. `origin` says from where."""

    commit: str
    origin: str
    config: Mapping[str, Any]
    kept: Kept | None = None
    snapshot: Path | None = None


def find(places: Places, hub_id: str, revision: str | None) -> Repository | None:
    """Return what was fetched, else what huggingface_hub has downloaded. Never raises, whatever the files hold."""
    kept = _kept(places, hub_id, revision or DEFAULT_REVISION)
    if kept is not None:
        return Repository(kept.commit, "the Hub", kept.config, kept=kept)
    snapshot = _snapshot(places.hub / folder_of(hub_id), revision or DEFAULT_REVISION)
    config = stated(snapshot) if snapshot else {}
    return (
        Repository(snapshot.name, "huggingface_hub's cache", config, snapshot=snapshot) if snapshot else None
    )


def model(hub_id: str, found: Repository) -> Model | None:
    """Return it with its tensors, where their headers are here. Never raises."""
    tensors = _tensors(found)
    if not found.config and not tensors:
        return None
    parts = " and the headers of its weights" if tensors else ""
    source = f"config.json{parts} of `{hub_id}` at {found.commit[:12]}, from {found.origin}"
    return Model(hub_id, source, found.config, tensors or None)


def keep(
    places: Places,
    hub_id: str,
    revision: str | None,
    commit: str,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor] | None,
) -> None:
    """Write an entry, as a whole or not at all. Raises OSError."""
    path = _file(places, hub_id, revision or DEFAULT_REVISION)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.encode(Kept(_FORMAT, commit, dict(config), msgspec.Raw(msgspec.json.encode(tensors))))
    handle, staged = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text)
        Path(staged).replace(path)
    except BaseException:
        Path(staged).unlink(missing_ok=True)
        raise


def is_final(places: Places, hub_id: str, revision: str | None) -> bool:
    """Tell whether the revision is a commit of which all is known: nothing about it can change."""
    commit = revision if revision and COMMIT.fullmatch(revision) else None
    return commit is not None and _kept(places, hub_id, commit) is not None


def _kept(places: Places, hub_id: str, revision: str) -> Kept | None:
    try:
        kept = _decoder.decode(_file(places, hub_id, revision).read_bytes())
    except (OSError, *_NOT_READ):
        return None
    return kept if kept.format == _FORMAT else None


def _file(places: Places, hub_id: str, revision: str) -> Path:
    # A branch may hold slashes, and a revision is text of llm.yaml.
    plain = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", revision)
    name = revision if plain else hashlib.sha256(revision.encode("utf-8", "replace")).hexdigest()
    return places.own / folder_of(hub_id) / f"{name}.json"


def _snapshot(folder: Path, revision: str) -> Path | None:
    """Return the directory of a revision in huggingface_hub's cache: refs/REVISION holds the commit."""
    if any(part in ("", ".", "..") for part in revision.split("/")):
        return None
    try:
        commit = revision if COMMIT.fullmatch(revision) else (folder / "refs" / revision).read_text().strip()
    except (OSError, ValueError):
        return None
    there = COMMIT.fullmatch(commit) and (folder / "snapshots" / commit).is_dir()
    return folder / "snapshots" / commit if there else None


def _tensors(found: Repository) -> Mapping[str, Tensor] | None:
    try:
        if found.kept is not None:
            return msgspec.json.decode(found.kept.tensors, type=dict[str, Tensor] | None)
        # A part of the repository is no fault of anybody: only what was asked for is downloaded.
        return safetensors.read(found.snapshot) if found.snapshot else None
    except (Damaged, *_NOT_READ):
        return None


_decoder = msgspec.json.Decoder(Kept)
_NOT_READ = (msgspec.MsgspecError, ValueError, RecursionError)

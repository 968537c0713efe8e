"""The headers of safetensors files: which tensors a checkpoint has, of which type and shape.

A file is the length of its header (8 bytes, little endian), the header (JSON), and the data, which is never
read. Source: safetensors 0.8.0, safetensors/src/tensor.rs (`read_metadata`, `Metadata::validate`).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from llmdeploy.catalog.tensors import tensor_bytes
from llmdeploy.facts.flaw import Damaged
from llmdeploy.memory.model import Tensor

INDEX = "model.safetensors.index.json"
METADATA = "__metadata__"
LARGEST_HEADER = 100_000_000
"""Bytes; safetensors itself refuses more."""

_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.safetensors")
_RESUME = "complete the download; `hf download` fetches only what is missing"
_POINTER = b"version https://git-lfs"


class _Entry(msgspec.Struct, gc=False):
    """A tensor. The defaults let a file's `__metadata__`, of which nothing is asked, pass as one."""

    dtype: str = ""
    shape: tuple[int, ...] = ()
    data_offsets: tuple[int, int] = (0, -1)


class _Index(msgspec.Struct):
    weight_map: dict[str, str]


_header = msgspec.json.Decoder(dict[str, _Entry])
_pairs = msgspec.json.Decoder(dict[str, msgspec.Raw])
_entry = msgspec.json.Decoder(_Entry)
_index = msgspec.json.Decoder(_Index)
_NOT_READ = (msgspec.MsgspecError, ValueError, RecursionError)


def read(directory: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint by name; none where it has no safetensors. Raises Damaged alone."""
    tensors: dict[str, Tensor] = {}
    for name in _files(directory):
        found = header(directory / name)
        if not tensors.keys().isdisjoint(found):
            twice = min(tensors.keys() & found.keys())
            raise Damaged(
                f"`{name}` holds the tensor `{twice}`, which another file holds as well",
                "keep the files of one checkpoint in the directory",
            )
        tensors |= found
    return tensors


def header(path: Path) -> dict[str, Tensor]:
    """Return the tensors of one file by name. Raises Damaged alone."""
    text, size = _text(path)
    try:
        entries = _entries(text)
    except _NOT_READ:
        raise Damaged(f"the header of `{path.name}` is not one of safetensors") from None
    return _tensors(path.name, entries, size)


def _entries(text: bytes) -> dict[str, _Entry]:
    try:
        entries = _header.decode(text)
    except msgspec.ValidationError:
        # Slower by half: `__metadata__` may have a key that a tensor has.
        pairs = _pairs.decode(text)
        pairs.pop(METADATA, None)
        return {name: _entry.decode(raw) for name, raw in pairs.items()}
    entries.pop(METADATA, None)
    return entries


def chosen(names: Iterable[str]) -> list[str]:
    """Return which of the files in a directory without an index are its weights, in order.

    Mistral's repositories hold them twice, once as `consolidated`; those of an adapter are no model's.
    Raises Damaged where a file `-00001-of-00003` lacks its companions.
    """
    found = sorted(n for n in names if n.endswith(".safetensors") and not n.startswith("adapter_"))
    weights = [name for name in found if not name.startswith("consolidated")] or found
    whole = set(weights)
    for name in weights:
        shard = _SHARD.fullmatch(name)
        if shard:
            count = int(shard["count"])
            # A count that nobody has is no reason to list them all.
            missing = next(
                (n for i in range(1, count + 1) if (n := _shard(shard["stem"], i, count)) not in whole), None
            )
            if missing:
                raise Damaged(f"`{missing}` is missing beside `{name}`", _RESUME)
    return weights


def named(text: bytes) -> list[str]:
    """Return the files that an index names, in order. Raises Damaged alone."""
    try:
        files = sorted(set(_index.decode(text).weight_map.values()))
    except _NOT_READ:
        raise Damaged(f"`{INDEX}` is no index of shards") from None
    outside = next((name for name in files if not name or Path(name).name != name), None)
    if outside is not None:
        raise Damaged(f"`{INDEX}` names `{outside}`, which is no file of its directory")
    return files


def _files(directory: Path) -> list[str]:
    try:
        there = {entry.name for entry in os.scandir(directory)}
    except (OSError, ValueError):
        return []
    if INDEX not in there:
        return chosen(there)
    files = named(_bounded(directory / INDEX))
    missing = [name for name in files if name not in there]
    if missing:
        few = f"`{missing[0]}`" + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
        raise Damaged(f"`{INDEX}` names {few}, which the directory lacks", _RESUME)
    return files


def _shard(stem: str, number: int, count: int) -> str:
    return f"{stem}-{number:05}-of-{count:05}.safetensors"


def _bounded(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            text = stream.read(LARGEST_HEADER + 1)
    except OSError as error:
        raise Damaged(f"`{path.name}` cannot be read: {error.strerror}", "see that it can be read") from None
    if len(text) > LARGEST_HEADER:
        raise Damaged(f"`{path.name}` is too large to be an index of shards")
    return text


def _text(path: Path) -> tuple[bytes, int]:
    """Return the header's JSON, and how many bytes of data follow it."""
    name = path.name
    try:
        # A FIFO would wait for its writer.
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise Damaged(f"`{name}` is not a regular file", "name a directory of weights")
        with path.open("rb") as stream:
            start = stream.read(8)
            length = int.from_bytes(start, "little")
            if start == _POINTER[:8] and (start + stream.read(len(_POINTER) - 8)) == _POINTER:
                raise Damaged(
                    f"`{name}` is a pointer of Git LFS, not the weights", "run `git lfs pull` there"
                )
            if len(start) < 8 or length > status.st_size - 8:
                raise Damaged(f"`{name}` ends within its header")
            if length > LARGEST_HEADER:
                raise Damaged(
                    f"`{name}` states a header of {length:,} bytes; safetensors takes {LARGEST_HEADER:,}"
                )
            return stream.read(length), status.st_size - 8 - length
    except OSError as error:
        raise Damaged(f"`{name}` cannot be read: {error.strerror}", "see that it can be read") from None


def _tensors(name: str, entries: Mapping[str, _Entry], size: int) -> dict[str, Tensor]:
    """See that the header fits the file, and return its tensors. Those that are alike are one object."""
    alike: dict[tuple[str, tuple[int, ...]], tuple[Tensor, int | None]] = {}
    tensors: dict[str, Tensor] = {}
    end = 0
    for key, entry in entries.items():
        kind = (entry.dtype, entry.shape)
        if kind not in alike:
            alike[kind] = Tensor(*kind), _size(entry)
        tensors[key], expected = alike[kind]
        first, last = entry.data_offsets
        if first < 0 or last < first or expected not in (None, last - first):
            raise Damaged(f"the header of `{name}` states a wrong size for `{key}`")
        if last > end:
            end = last
    if end > size:
        raise Damaged(f"`{name}` is cut off: {end - size:,} bytes are missing at its end", _RESUME)
    if end < size:
        raise Damaged(f"`{name}` has {size - end:,} bytes that its header knows nothing of")
    return tensors


def _size(entry: _Entry) -> int | None:
    """Return the bytes of a tensor: None where its type is not known to us, -1 where it cannot be."""
    if not entry.dtype or min(entry.shape, default=0) < 0:
        return -1
    return tensor_bytes(entry.dtype, entry.shape)

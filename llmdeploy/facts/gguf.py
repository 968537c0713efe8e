"""The header of a GGUF file, versions 2 and 3: its metadata, and its tensors.

Layout: "GGUF", version (u32), number of tensors and of metadata (u64 each), the metadata, the tensors; little
endian. Source: ggml-org/ggml, docs/gguf.md; gguf 0.19.0, gguf/gguf_reader.py.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from msgspec import Struct

from llmdeploy.catalog.tensors import ggml_type, tensor_bytes
from llmdeploy.facts.flaw import Damaged
from llmdeploy.memory.model import Tensor

LARGEST_HEADER = 64 << 20
"""Bytes. A vocabulary of 262,144 tokens with its merges takes some 10 MB."""

_CHUNK = 1 << 20
_LONGEST_ARRAY = 4096
"""Numbers of an array that are kept: some models state a value for each layer, all of them scores of tokens."""
_DEEPEST = 4
_MOST_DIMENSIONS = 8
_ALIGNMENT = 32

_SCALARS = {number: struct.Struct(f"<{code}") for number, code in enumerate("BbHhIif?  Qqd") if code != " "}
_STRING, _ARRAY = 8, 9
_U32, _U64 = _SCALARS[4], _SCALARS[10]


class Array(Struct, frozen=True):
    """A list in the metadata. `values` are kept of short lists of numbers alone."""

    length: int
    values: tuple[Any, ...] | None = None


class Header(Struct, frozen=True):
    metadata: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    """With ggml's word for the type, and the shape as torch has it: rows last."""


def header(path: Path) -> Header:
    """Read the header of one file. Raises Damaged alone."""
    try:
        if not path.is_file():  # a FIFO would wait for its writer
            raise Damaged(f"`{path.name}` is not a regular file", "name a file of weights")
        with path.open("rb") as stream:
            return _Reader(path.name, stream, path.stat().st_size).header()
    except OSError as error:
        raise Damaged(f"`{path.name}` cannot be read: {error.strerror}", "see that it can be read") from None


class _Reader:
    """Reads forward, and no more of the file than it needs."""

    def __init__(self, name: str, stream: BinaryIO, size: int) -> None:
        self._name, self._stream, self._size = name, stream, size
        self._data, self._at = bytearray(), 0

    def header(self) -> Header:
        if self._bytes(min(4, self._size)) != b"GGUF":
            raise Damaged(f"`{self._name}` is no GGUF file")
        version = self._number(_U32)
        if version not in (2, 3):
            big = version in (2 << 24, 3 << 24)
            what = "is in big-endian order" if big else f"is of GGUF version {version}"
            raise Damaged(
                f"`{self._name}` {what}; engines read versions 2 and 3, little endian", "convert it anew"
            )
        tensors, pairs = self._number(_U64), self._number(_U64)
        metadata: dict[str, Any] = {}
        for _ in range(pairs):
            key = self._text()
            metadata[key] = self._value(self._number(_U32), 0)
        return Header(metadata, self._tensors(tensors, metadata))

    def _tensors(self, count: int, metadata: Mapping[str, Any]) -> dict[str, Tensor]:
        found, end = dict[str, Tensor](), 0
        for _ in range(count):
            name, dimensions = self._text(), self._number(_U32)
            if dimensions > _MOST_DIMENSIONS or name in found:
                raise Damaged(f"the header of `{self._name}` states the tensor `{name}` wrongly")
            shape = tuple(reversed([self._number(_U64) for _ in range(dimensions)]))
            number, offset = self._number(_U32), self._number(_U64)
            known = ggml_type(number)
            found[name] = Tensor(known.name if known else f"ggml {number}", shape)
            end = max(end, offset + (tensor_bytes(found[name].dtype, shape) or 0))
        alignment = metadata.get("general.alignment")
        alignment = alignment if isinstance(alignment, int) and alignment > 0 else _ALIGNMENT
        missing = end and self._at + -self._at % alignment + end - self._size
        if missing > 0:
            raise Damaged(f"`{self._name}` is cut off: {missing:,} bytes are missing at its end")
        return found

    def _value(self, kind: int, depth: int) -> Any:
        if kind == _STRING:
            return self._text()
        if kind in _SCALARS:
            return self._number(_SCALARS[kind])
        if kind != _ARRAY or depth == _DEEPEST:
            raise Damaged(f"the metadata of `{self._name}` cannot be read")
        kind, length = self._number(_U32), self._number(_U64)
        if kind == _STRING:
            self._skip_texts(length)
        elif kind in _SCALARS:
            return self._numbers(_SCALARS[kind], length)
        else:
            for _ in range(length):
                self._value(kind, depth + 1)
        return Array(length)

    def _numbers(self, scalar: struct.Struct, length: int) -> Array:
        data = self._bytes(scalar.size * length)
        if length > _LONGEST_ARRAY:
            return Array(length)
        return Array(length, tuple(value for (value,) in scalar.iter_unpack(data)))

    def _skip_texts(self, count: int) -> None:
        """Step over texts without reading each: there are as many as the vocabulary has tokens."""
        unpack, data, size = _U64.unpack_from, self._data, _U64.size
        for _ in range(count):
            if self._at + size > len(data):
                self._fill(size)
            end = self._at + size + unpack(data, self._at)[0]
            if end > len(data):
                self._fill(end - self._at)
            self._at = end

    def _text(self) -> str:
        return self._bytes(self._number(_U64)).decode("utf-8", "replace")

    def _number(self, scalar: struct.Struct) -> Any:
        (value,) = scalar.unpack(self._bytes(scalar.size))
        return value

    def _bytes(self, count: int) -> bytes:
        self._fill(count)
        start, self._at = self._at, self._at + count
        return bytes(self._data[start : self._at])

    def _fill(self, count: int) -> None:
        """See that `count` bytes from here are at hand."""
        end = self._at + count
        if end > self._size:
            raise Damaged(f"`{self._name}` ends within its header")
        if end > LARGEST_HEADER:
            raise Damaged(f"the header of `{self._name}` is larger than {LARGEST_HEADER >> 20} MiB")
        while len(self._data) < end:
            block = self._stream.read(max(_CHUNK, end - len(self._data)))
            if not block:
                raise Damaged(f"`{self._name}` ends within its header")
            self._data += block

"""Headers of safetensors files: what they say, and that nothing a file holds is more than a reason."""

from __future__ import annotations

import contextlib
import json
import os
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import weights
from support.weights import LLAMA, checkpoint, framed, safetensors

from llmdeploy.facts.flaw import Damaged
from llmdeploy.facts.safetensors import INDEX, header, read
from llmdeploy.memory.model import Tensor

FIRST, SECOND = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
HALVES = {FIRST: dict(list(LLAMA.items())[:2]), SECOND: dict(list(LLAMA.items())[2:])}
ALL = {name: Tensor(*kind) for name, kind in LLAMA.items()}


def test_a_single_file(tmp_path: Path) -> None:
    assert read(checkpoint(tmp_path, {"model.safetensors": LLAMA})) == ALL


@pytest.mark.parametrize("index", [True, False])
def test_shards_with_and_without_an_index(tmp_path: Path, index: bool) -> None:
    assert read(checkpoint(tmp_path, HALVES, index=index)) == ALL


def test_an_index_decides_which_files_are_the_weights(tmp_path: Path) -> None:
    checkpoint(tmp_path, HALVES)
    (tmp_path / "extra.safetensors").write_bytes(safetensors(LLAMA))
    assert read(tmp_path) == ALL


@pytest.mark.parametrize("beside", ["consolidated.safetensors", "adapter_model.safetensors"])
def test_what_is_no_part_of_the_model_is_left_out(tmp_path: Path, beside: str) -> None:
    checkpoint(tmp_path, {"model.safetensors": LLAMA})
    (tmp_path / beside).write_bytes(safetensors({"layers.0.wq": ("BF16", (8, 8))}))
    assert read(tmp_path) == ALL


def test_consolidated_weights_are_the_model_where_there_are_no_others(tmp_path: Path) -> None:
    assert read(checkpoint(tmp_path, {"consolidated.safetensors": LLAMA})) == ALL


def test_a_directory_without_weights_has_no_tensors(tmp_path: Path) -> None:
    assert read(checkpoint(tmp_path, {})) == {}
    assert read(tmp_path / "missing") == {}


def test_metadata_may_have_the_keys_of_a_tensor(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(safetensors(LLAMA, {"shape": "odd", "dtype": "odd"}))
    assert read(tmp_path) == ALL


def test_a_type_that_we_do_not_know_is_kept(tmp_path: Path) -> None:
    """A later release of safetensors may have more of them."""
    text = b'{"a": {"dtype": "F3", "shape": [8], "data_offsets": [0, 3]}}'
    (tmp_path / "a.safetensors").write_bytes(framed(text, 3))
    assert read(tmp_path) == {"a": Tensor("F3", (8,))}


ENTRY = '{"a": {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}}'


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "ends within its header"),
        (b"\x07\0\0", "ends within its header"),
        (struct.pack("<Q", 1 << 63), "ends within its header"),
        (struct.pack("<Q", 50) + b"{}", "ends within its header"),
        (framed(b"nonsense"), "not one of safetensors"),
        (framed(b"\xff\xfe"), "not one of safetensors"),
        (framed(b"[" * 100_000), "not one of safetensors"),
        (framed(b'{"a": ' * 100_000), "not one of safetensors"),
        (framed(b"[]"), "not one of safetensors"),
        (framed(b'{"a": 1}'), "not one of safetensors"),
        (framed(ENTRY.replace("[2]", '"2"').encode(), 2), "not one of safetensors"),
        (framed(ENTRY.replace("[0, 2]", "[0]").encode(), 2), "not one of safetensors"),
        (framed(b'{"a": {}}'), "wrong size for `a`"),
        (framed(ENTRY.replace("[2]", "[-2]").encode(), 2), "wrong size for `a`"),
        (framed(ENTRY.replace("[2]", "[3]").encode(), 2), "wrong size for `a`"),
        (framed(ENTRY.replace("[0, 2]", "[-1, 1]").encode(), 2), "wrong size for `a`"),
        (framed(ENTRY.replace("[0, 2]", "[2, 0]").encode(), 2), "wrong size for `a`"),
        (framed(ENTRY.replace("[2]", f"[{10**30}]").encode(), 2), "of safetensors|wrong size"),
        (framed(ENTRY.encode(), 1), "cut off: 1 bytes are missing"),
        (framed(ENTRY.encode(), 3), "1 bytes that its header knows nothing of"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "pointer of Git LFS"),
    ],
)
def test_a_damaged_file_is_named_with_the_reason(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(Damaged, match=why) as found:
        read(tmp_path)
    assert "`model.safetensors`" in found.value.message


def test_a_header_larger_than_the_format_allows_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", 100_000_001))
        stream.truncate(200_000_000)
    with pytest.raises(Damaged, match="100,000,001"):
        read(tmp_path)


def test_a_shard_that_is_missing_is_named(tmp_path: Path) -> None:
    for index in (True, False):
        folder = checkpoint(tmp_path / str(index), HALVES, index=index)
        (folder / SECOND).unlink()
        with pytest.raises(Damaged, match=SECOND):
            read(folder)


def test_a_tensor_in_two_shards_is_named(tmp_path: Path) -> None:
    checkpoint(tmp_path, {FIRST: LLAMA, SECOND: LLAMA}, index=False)
    with pytest.raises(Damaged, match=r"`model\.embed_tokens\.weight`, which another"):
        read(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": 1}}', "\udcff", "[" * 100_000]
)
def test_an_index_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / INDEX).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(Damaged, match="no index"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["../other.safetensors", "/etc/passwd", "", "a/b.safetensors"])
def test_an_index_does_not_lead_out_of_its_directory(tmp_path: Path, name: str) -> None:
    (tmp_path / INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(Damaged, match="no file of its directory"):
        read(tmp_path)


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(Damaged, match="not a regular file"):
        read(tmp_path)


WHOLE = safetensors(LLAMA, {"format": "pt"})


@given(st.binary(max_size=300) | st.builds(framed, st.binary(max_size=300)))
def test_no_bytes_are_more_than_a_reason(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    path.write_bytes(content)
    with contextlib.suppress(Damaged):
        assert all(isinstance(tensor, Tensor) for tensor in header(path).values())


@given(st.integers(0, len(WHOLE) - 1), st.integers(0, 255))
def test_no_flipped_byte_is_more_than_a_reason(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped.safetensors"
    path.write_bytes(WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :])
    with contextlib.suppress(Damaged):
        header(path)


SHAPES = st.lists(st.integers(0, 64), max_size=4).map(tuple)
KINDS = st.tuples(st.sampled_from(["F32", "BF16", "F8_E4M3", "U8", "I64"]), SHAPES)


@given(st.dictionaries(st.text(max_size=8).filter(lambda name: name != "__metadata__"), KINDS, max_size=6))
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, tensors: weights.Tensors) -> None:
    path = tmp_path_factory.getbasetemp() / "written.safetensors"
    path.write_bytes(safetensors(tensors))
    assert header(path) == {name: Tensor(*kind) for name, kind in tensors.items()}

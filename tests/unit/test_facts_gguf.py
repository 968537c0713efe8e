"""Headers of GGUF files, in the words of config.json, and that nothing a file holds is more than a reason."""

from __future__ import annotations

import contextlib
import os
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.weights import LLAMA_GGUF, LLAMA_GGUF_TENSORS, gguf, text

from llmdeploy.catalog.tensors import tensor_bytes
from llmdeploy.facts.flaw import Damaged
from llmdeploy.facts.gguf import Array, Header, header
from llmdeploy.facts.gguf_config import config
from llmdeploy.memory.model import Tensor


def read(folder: Path, content: bytes) -> Header:
    path = folder / "m.gguf"
    path.write_bytes(content)
    return header(path)


def config_of(folder: Path, metadata: dict[str, Any], tensors: Any = LLAMA_GGUF_TENSORS) -> dict[str, Any]:
    return config(read(folder, gguf(metadata, tensors)))


@pytest.mark.parametrize("version", [2, 3])
def test_a_header_is_read(tmp_path: Path, version: int) -> None:
    found = read(tmp_path, gguf(LLAMA_GGUF, LLAMA_GGUF_TENSORS, version=version))
    assert found.tensors == {name: Tensor(*kind) for name, kind in LLAMA_GGUF_TENSORS.items()}
    assert found.metadata["llama.context_length"] == 8192
    assert found.metadata["tokenizer.ggml.tokens"] == Array(4)
    assert found.metadata["tokenizer.ggml.scores"] == Array(4, (0.0, 1.0, 2.0, 3.0))


def test_a_long_list_is_counted_and_not_kept(tmp_path: Path) -> None:
    found = read(tmp_path, gguf({"scores": [0.5] * 5000, "tokens": ["ab"] * 300_000}, {}))
    assert found.metadata == {"scores": Array(5000), "tokens": Array(300_000)}


def test_quantized_tensors_take_whole_blocks(tmp_path: Path) -> None:
    """llama.cpp's Q4_K: 144 bytes for 256 weights."""
    found = read(tmp_path, gguf(LLAMA_GGUF, LLAMA_GGUF_TENSORS))
    assert found.tensors["token_embd.weight"] == Tensor("Q4_K", (4, 256))
    assert tensor_bytes("Q4_K", (4, 256)) == 4 * 144
    assert tensor_bytes("Q4_K", (4, 100)) is None


def test_config_has_the_words_of_config_json(tmp_path: Path) -> None:
    assert config_of(tmp_path, LLAMA_GGUF) == {
        "model_type": "llama",
        "max_position_embeddings": 8192,
        "hidden_size": 256,
        "intermediate_size": 512,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "num_hidden_layers": 2,
        "vocab_size": 4,
        "tie_word_embeddings": True,
        "quantization_config": {"quant_method": "gguf"},
    }


def test_an_output_layer_of_its_own_is_not_tied(tmp_path: Path) -> None:
    untied = {**LLAMA_GGUF_TENSORS, "output.weight": ("Q6_K", (4, 256))}
    assert config_of(tmp_path, LLAMA_GGUF, untied)["tie_word_embeddings"] is False


@pytest.mark.parametrize(
    ("architecture", "model_type", "experts"),
    [
        ("qwen3moe", "qwen3_moe", "num_experts"),
        ("llama", "mixtral", "num_local_experts"),
        ("gpt-oss", "gpt_oss", "num_local_experts"),
        ("deepseek2", "deepseek_v2", "n_routed_experts"),
        ("somethingnew", "somethingnew", "num_experts"),
    ],
)
def test_a_mixture(tmp_path: Path, architecture: str, model_type: str, experts: str) -> None:
    metadata = {
        "general.architecture": architecture,
        f"{architecture}.expert_count": 64,
        f"{architecture}.expert_used_count": 6,
    }
    found = config_of(tmp_path, metadata)
    assert (found["model_type"], found[experts], found["num_experts_per_tok"]) == (model_type, 64, 6)


@pytest.mark.parametrize("suffix", ["", "_mla"])
def test_latent_attention(tmp_path: Path, suffix: str) -> None:
    """DeepSeek V3: 128 + 64 for keys, 128 for values. Since April 2025 `key_length` is that of the cache."""
    below = {
        "expert_gating_func": 2,
        "attention.kv_lora_rank": 512,
        "rope.dimension_count": 64,
        "attention.key_length": 576,
        "attention.value_length": 512,
        f"attention.key_length{suffix}": 192,
        f"attention.value_length{suffix}": 128,
    }
    found = config_of(
        tmp_path,
        {"general.architecture": "deepseek2", **{f"deepseek2.{key}": v for key, v in below.items()}},
    )
    assert found["model_type"] == "deepseek_v3"
    assert (found["kv_lora_rank"], found["qk_rope_head_dim"], found["qk_nope_head_dim"]) == (512, 64, 128)
    assert found["v_head_dim"] == 128


def test_layers_for_speculation_are_counted_apart(tmp_path: Path) -> None:
    metadata = {
        "general.architecture": "glm4moe",
        "glm4moe.block_count": 47,
        "glm4moe.nextn_predict_layers": 1,
    }
    assert config_of(tmp_path, metadata)["num_hidden_layers"] == 46


def test_what_differs_between_layers_is_no_single_fact(tmp_path: Path) -> None:
    same = {**LLAMA_GGUF, "llama.attention.head_count_kv": [2, 2]}
    assert config_of(tmp_path, same)["num_key_value_heads"] == 2
    differing = {**LLAMA_GGUF, "llama.attention.head_count_kv": [0, 2]}
    assert "num_key_value_heads" not in config_of(tmp_path, differing)


def test_a_file_without_an_architecture_states_nothing(tmp_path: Path) -> None:
    assert config_of(tmp_path, {"general.name": "x"}) == {}


def test_a_type_that_we_do_not_know_is_kept(tmp_path: Path) -> None:
    head = b"GGUF" + struct.pack("<IQQ", 3, 1, 0) + text("a") + struct.pack("<IQIQ", 1, 32, 999, 0)
    assert read(tmp_path, head).tensors == {"a": Tensor("ggml 999", (32,))}


def start(tensors: int, pairs: int, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, pairs)


def of_kind(kind: int, *rest: int) -> bytes:
    return start(0, 1) + text("a") + struct.pack("<I", kind) + b"".join(struct.pack("<Q", r) for r in rest)


NESTED = struct.pack("<IQ", 9, 1)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no GGUF"),
        (b"GGU", "no GGUF"),
        (b"GGML" + bytes(40), "no GGUF"),
        (b"GGUF", "ends within"),
        (start(0, 0, version=1), "version 1"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (start(1 << 60, 0), "ends within"),
        (start(0, 1 << 60), "ends within"),
        (start(0, 1) + struct.pack("<Q", 1 << 62), "ends within"),
        (of_kind(8, 1 << 62), "ends within"),
        (of_kind(13), "cannot be read"),
        (start(0, 1) + text("a") + struct.pack("<IIQ", 9, 8, 1 << 62), "ends within"),
        (start(0, 1) + text("a") + struct.pack("<IIQ", 9, 4, 1 << 62), "ends within"),
        (start(0, 1) + text("a") + struct.pack("<IIQ", 9, 77, 3), "cannot be read"),
        (start(0, 1) + text("a") + struct.pack("<I", 9) + NESTED * 100, "cannot be read"),
        (start(1, 0) + text("a") + struct.pack("<I", 1 << 30), "wrongly"),
        (gguf(LLAMA_GGUF, LLAMA_GGUF_TENSORS)[:-1], "cut off: 1 bytes are missing"),
        (gguf(LLAMA_GGUF, LLAMA_GGUF_TENSORS, alignment=64)[:-64], "cut off: 64 bytes are missing"),
    ],
)
def test_a_damaged_file_is_named_with_the_reason(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(Damaged, match=why) as found:
        read(tmp_path, content)
    assert "`m.gguf`" in found.value.message


def test_a_header_without_end_is_not_read_to_it(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    with path.open("wb") as stream:
        stream.write(start(0, 1 << 40))
        stream.truncate(100 << 20)
    with pytest.raises(Damaged, match="larger than 64 MiB"):
        header(path)


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "m.gguf")
    with pytest.raises(Damaged, match="not a regular file"):
        header(tmp_path / "m.gguf")


WHOLE = gguf(LLAMA_GGUF, LLAMA_GGUF_TENSORS)
HEAD = len(WHOLE) - 4 * 144 - 256 * 210 - 1024


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda rest: start(2, 2) + rest))
def test_no_bytes_are_more_than_a_reason(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    with contextlib.suppress(Damaged):
        config(read(tmp_path_factory.getbasetemp(), content))


@given(st.integers(0, HEAD - 1), st.integers(0, 255))
def test_no_flipped_byte_is_more_than_a_reason(
    tmp_path_factory: pytest.TempPathFactory, at: int, byte: int
) -> None:
    with contextlib.suppress(Damaged):
        config(read(tmp_path_factory.getbasetemp(), WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]))


VALUES = (
    st.integers(0, 2**32 - 1) | st.text(max_size=9) | st.booleans() | st.lists(st.integers(0, 9), max_size=4)
)


@given(
    st.dictionaries(st.text(max_size=9).filter(lambda key: key != "general.alignment"), VALUES, max_size=5)
)
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, metadata: dict[str, Any]) -> None:
    found = read(tmp_path_factory.getbasetemp(), gguf(metadata, LLAMA_GGUF_TENSORS))
    lists = {key: Array(len(v), tuple(v)) for key, v in metadata.items() if isinstance(v, list)}
    assert found.metadata == {**metadata, **lists}
    assert found.tensors.keys() == LLAMA_GGUF_TENSORS.keys()

"""Files of weights as a publisher writes them: the headers are real, the data is a hole."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmdeploy.catalog.tensors import tensor_bytes, tensor_types

#: Name -> type and shape.
Tensors = Mapping[str, tuple[str, tuple[int, ...]]]

LLAMA: Tensors = {
    "model.embed_tokens.weight": ("BF16", (512, 64)),
    "model.layers.0.self_attn.q_proj.weight": ("BF16", (64, 64)),
    "model.norm.weight": ("F32", (64,)),
}
CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "num_hidden_layers": 1,
    "hidden_size": 64,
    "vocab_size": 512,
    "torch_dtype": "bfloat16",
}


def safetensors(tensors: Tensors, metadata: Mapping[str, str] | None = None) -> bytes:
    """The file up to its data, and the data as zeros."""
    head: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name, (dtype, shape) in tensors.items():
        size = tensor_bytes(dtype, shape)
        assert size is not None
        head[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    return framed(json.dumps(head).encode(), at)


def framed(header: bytes, data: int = 0) -> bytes:
    return struct.pack("<Q", len(header)) + header + bytes(data)


def checkpoint(folder: Path, shards: Mapping[str, Tensors], *, index: bool = True) -> Path:
    """A directory with config.json and these files; with an index where there are several."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    for name, tensors in shards.items():
        (folder / name).write_bytes(safetensors(tensors, {"format": "pt"}))
    if index and len(shards) > 1:
        weight_map = {tensor: name for name, tensors in shards.items() for tensor in tensors}
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


_SCALARS = {
    "u8": (0, "B"),
    "u32": (4, "I"),
    "i32": (5, "i"),
    "f32": (6, "f"),
    "bool": (7, "?"),
    "u64": (10, "Q"),
}


def text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def value(given: Any, kind: str = "u32") -> bytes:
    """A value of the metadata with its type: a text, a number, or a list of either."""
    if isinstance(given, str):
        return struct.pack("<I", 8) + text(given)
    if isinstance(given, list):
        bare = [value(each, kind) for each in given]
        inner = bare[0][:4] if bare else struct.pack("<I", 4)
        return struct.pack("<I", 9) + inner + struct.pack("<Q", len(given)) + b"".join(b[4:] for b in bare)
    number, code = _SCALARS[
        "bool" if isinstance(given, bool) else "f32" if isinstance(given, float) else kind
    ]
    return struct.pack(f"<I{code}", number, given)


def gguf(metadata: Mapping[str, Any], tensors: Tensors, *, version: int = 3, alignment: int = 32) -> bytes:
    """A GGUF file whose data is zeros. Shapes are torch's: the file states them the other way round."""
    if alignment != 32:
        metadata = {**metadata, "general.alignment": alignment}
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    head += b"".join(text(key) + value(given) for key, given in metadata.items())
    at = 0
    for name, (dtype, shape) in tensors.items():
        number = tensor_types()[dtype].ggml
        assert number is not None
        head += text(name) + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}Q", *reversed(shape)) + struct.pack("<IQ", number, at)
        size = tensor_bytes(dtype, shape)
        assert size is not None
        at += size + -size % alignment
    return head + bytes(-len(head) % alignment) + bytes(at)


LLAMA_GGUF: dict[str, Any] = {
    "general.architecture": "llama",
    "llama.block_count": 2,
    "llama.context_length": 8192,
    "llama.embedding_length": 256,
    "llama.feed_forward_length": 512,
    "llama.attention.head_count": 8,
    "llama.attention.head_count_kv": 2,
    "llama.attention.key_length": 32,
    "llama.rope.freq_base": 10000.0,
    "tokenizer.ggml.tokens": ["<s>", "a", "b", ""],
    "tokenizer.ggml.scores": [0.0, 1.0, 2.0, 3.0],
}
LLAMA_GGUF_TENSORS: Tensors = {
    "token_embd.weight": ("Q4_K", (4, 256)),
    "blk.0.attn_q.weight": ("Q6_K", (256, 256)),
    "output_norm.weight": ("F32", (256,)),
}

"""The bytes of a checkpoint as it is stored."""

from __future__ import annotations

import pytest
from support.weights import LLAMA, LLAMA_GGUF_TENSORS

from llmdeploy.catalog.configs import config
from llmdeploy.memory.disk import bytes_on_disk
from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.model import Model, Tensor


def known(name: str, **changes: object) -> Model:
    row = config(name)
    assert row is not None
    return Model(row.id, row.source, {**row.config, **changes})


@pytest.mark.parametrize(
    ("name", "gb"),
    [
        # Sums of the shards that the Hub lists, in 10^9 bytes.
        ("meta-llama/Llama-3.1-8B-Instruct", 16.06),
        ("meta-llama/Llama-3.3-70B-Instruct", 141.11),
        ("Qwen/Qwen3-30B-A3B", 61.06),
        ("mistralai/Mixtral-8x7B-v0.1", 93.4),
    ],
)
def test_a_checkpoint_in_16_bits_takes_two_bytes_a_parameter(name: str, gb: float) -> None:
    assert bytes_on_disk(known(name)) / 1e9 == pytest.approx(gb, rel=1e-3)


def test_a_quantized_checkpoint_is_as_small_as_it_is_stored() -> None:
    plain = known("meta-llama/Llama-3.3-70B-Instruct")
    awq = known(
        "meta-llama/Llama-3.3-70B-Instruct",
        quantization_config={"quant_method": "awq", "bits": 4, "group_size": 128},
    )
    assert 0.25 < bytes_on_disk(awq) / bytes_on_disk(plain) < 0.3


def test_a_checkpoint_in_32_bits_is_read_whole_though_engines_run_it_in_16() -> None:
    name = "meta-llama/Llama-3.1-8B-Instruct"
    wide = known(name, torch_dtype="float32", dtype="float32")
    assert bytes_on_disk(wide) == 2 * bytes_on_disk(known(name))


def test_headers_are_added_up_in_their_own_types() -> None:
    tensors = {name: Tensor(*kind) for name, kind in LLAMA.items()}
    assert bytes_on_disk(Model("m", "", {}, tensors)) == 2 * 512 * 64 + 2 * 64 * 64 + 4 * 64


def test_gguf_keeps_its_scales_in_its_blocks() -> None:
    tensors = {name: Tensor(*kind) for name, kind in LLAMA_GGUF_TENSORS.items()}
    assert bytes_on_disk(Model("m", "", {}, tensors)) == 4 * 144 + 256 * 210 + 4 * 256


@pytest.mark.parametrize(
    "model",
    [
        Model("m", "", {}),
        Model("m", "", {"architectures": ["SomethingNew"]}),
        Model("m", "", {}, {"w": Tensor("ggml 99", (4,))}),
    ],
    ids=["nothing", "architecture", "type"],
)
def test_what_is_not_known_is_said(model: Model) -> None:
    with pytest.raises(UnmodelledError):
        bytes_on_disk(model)

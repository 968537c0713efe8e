"""Weights per rank: parts × scheme, and what no checkpoint contains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from llmdeploy.catalog.configs import config
from llmdeploy.memory.allocator import MIB, waste
from llmdeploy.memory.architecture import shape
from llmdeploy.memory.errors import UnmodelledError
from llmdeploy.memory.exclusions import numbered
from llmdeploy.memory.headers import weigh_headers
from llmdeploy.memory.model import Adapters, Split, Tensor
from llmdeploy.memory.scheme import scheme
from llmdeploy.memory.shape import Shape
from llmdeploy.memory.weights import Loading, adapted, stages, weigh

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def stated(name: str) -> Mapping[str, Any]:
    found = config(name)
    assert found is not None
    return found.config


def known(name: str) -> Shape:
    return shape(stated(name))


def gib(name: str, tensor: int = 1, pipeline: int = 1, stage: int = 0, **loading: Any) -> float:
    made, quantized = known(name), scheme(stated(name), loading.pop("runtime", None))
    layers = stages(len(made.layers), pipeline)[stage]
    options = Loading(quantized, loading.pop("width", 2.0), expert_ranks=tensor, **loading)
    return sum(line.gib for line in weigh(made, options, Split(tensor, pipeline), layers))


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        (LLAMA, 8.030),
        ("deepseek-ai/DeepSeek-V3", 671.026),
        ("Qwen/Qwen3-235B-A22B", 235.094),
        ("Qwen/Qwen3-30B-A3B", 30.532),
        ("moonshotai/Kimi-K2-Instruct", 1026.4),
        ("openai/gpt-oss-120b", 116.83),
        ("mistralai/Mixtral-8x7B-v0.1", 46.703),
        ("google/gemma-2-27b-it", 27.227),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", 31.578),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", 107.77),
        ("ibm-granite/granite-3.1-8b-instruct", 8.171),
    ],
)
def test_the_parts_of_a_model_add_up_to_its_parameters(name: str, billions: float) -> None:
    made = known(name)
    parts = [part for layer in made.layers for part in layer.parts]
    parts += [made.embedding, *made.ends, *made.last, *([made.head] if made.head else [])]
    assert sum(part.out * part.into * part.count for part in parts) / 1e9 == pytest.approx(billions, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "tensor", "observed"),
    [
        (LLAMA, 1, 14.99),
        (LLAMA, 2, 7.51),
        ("Qwen/Qwen2.5-7B-Instruct", 1, 14.25),
        ("Qwen/Qwen2.5-7B-Instruct", 4, 3.55),
        ("Qwen/Qwen2.5-72B-Instruct", 2, 67.80),
        ("google/gemma-3-12b-it", 1, 23.31),
        ("mistralai/Mistral-Small-3.1-24B-Instruct-2503", 1, 44.76),
        ("Qwen/Qwen3-30B-A3B", 1, 56.88),
        ("nvidia/Gemma-4-31B-IT-NVFP4", 1, 31.18),
    ],
)
def test_loading_takes_what_engines_print(name: str, tensor: int, observed: float) -> None:
    """ "Model loading took", in recorded logs."""
    assert gib(name, tensor) == pytest.approx(observed, rel=0.006)


def test_the_heaviest_stage_has_the_embedding_or_the_output_layer() -> None:
    """Llama 3.1 8B over four stages: 4.26 GiB, not a quarter of 14.99."""
    assert max(gib(LLAMA, pipeline=4, stage=stage) for stage in range(4)) == pytest.approx(4.26, abs=0.01)


def test_a_remainder_of_layers_goes_before_the_last_stage() -> None:
    assert [len(layers) for layers in stages(62, 4)] == [15, 16, 16, 15]
    assert [len(layers) for layers in stages(61, 2)] == [31, 30]


def test_a_tied_embedding_is_on_the_first_and_on_the_last_stage() -> None:
    whole = gib("Qwen/Qwen3-4B")
    halves = gib("Qwen/Qwen3-4B", pipeline=2, stage=0) + gib("Qwen/Qwen3-4B", pipeline=2, stage=1)
    assert halves - whole == pytest.approx(151936 * 2560 * 2 / 2**30, abs=0.03)


def test_a_million_positions_are_a_table_on_every_rank() -> None:
    """Llama 4 Scout: 10,485,760 × 128 × 2 bytes are 2.5 GiB, however many ranks there are."""
    made = known("meta-llama/Llama-4-Scout-17B-16E-Instruct")
    loading = Loading(scheme(stated("meta-llama/Llama-4-Scout-17B-16E-Instruct")), 2.0, expert_ranks=4)
    lines = weigh(made, loading, Split(4), range(len(made.layers)))
    assert [line.gib for line in lines if line.rule.startswith("rope")] == [2.5]


def test_fp32_takes_twice_as_much() -> None:
    assert gib(LLAMA, width=4.0, rope_width=4.0) == pytest.approx(29.98, abs=0.01)


def test_what_the_engine_quantizes_while_it_loads_leaves_embeddings() -> None:
    assert gib(LLAMA, runtime="fp8") == pytest.approx(8.49, abs=0.01)


def test_an_exclude_list_is_worth_more_than_the_bits() -> None:
    """Gemma 4 31B in NVFP4 keeps its attention in bf16: 31 GiB, where four bits of all would be 19."""
    without = {**stated("nvidia/Gemma-4-31B-IT-NVFP4"), "hf_quant_config": None}
    without["quantization_config"] = {**without["quantization_config"], "ignore": ["lm_head"]}
    loading = Loading(scheme(without), 2.0)
    made = shape(without)
    assert sum(line.gib for line in weigh(made, loading, Split(), range(len(made.layers)))) < 21


@pytest.mark.parametrize("method", ["gguf", "hqq", "quark"])
def test_a_scheme_that_is_not_modelled_is_not_guessed(method: str) -> None:
    with pytest.raises(UnmodelledError, match=f"quantization: checkpoints of `{method}`"):
        scheme({"quantization_config": {"quant_method": method}})


@pytest.mark.parametrize(
    "name", ["deepseek-ai/DeepSeek-V4-Pro", "moonshotai/Kimi-K3", "stepfun-ai/Step-3.7-Flash"]
)
def test_an_architecture_that_is_not_modelled_is_not_guessed(name: str) -> None:
    with pytest.raises(UnmodelledError, match=r"^architecture: `.*` is not modelled"):
        known(name)


def test_a_config_without_a_number_that_is_needed_says_which() -> None:
    with pytest.raises(UnmodelledError, match=r"config: config\.json does not state `vocab_size`"):
        shape({"architectures": ["LlamaForCausalLM"], "hidden_size": 8, "num_attention_heads": 2})


def test_a_text_config_speaks_for_the_language_model() -> None:
    flat = dict(stated("Qwen/Qwen3-VL-8B-Instruct"))
    seen = flat.pop("vision_config")
    names = flat.pop("architectures")
    nested = {"architectures": names, "text_config": flat, "vision_config": seen}
    assert shape(nested) == known("Qwen/Qwen3-VL-8B-Instruct")


def test_experts_in_slices_and_whole_experts_take_the_same() -> None:
    sliced = gib("Qwen/Qwen3-30B-A3B", 4)
    assert gib("Qwen/Qwen3-30B-A3B", 4, whole_experts=True) == pytest.approx(sliced, rel=0.01)


def test_latent_attention_is_copied_after_loading() -> None:
    added = gib("deepseek-ai/DeepSeek-V3", 8, absorb=True) - gib("deepseek-ai/DeepSeek-V3", 8)
    assert added == pytest.approx(2 * 512 * 128 / 8 * 256 * 61 / 2**30)


def test_slots_of_lora_are_taken_filled_or_not() -> None:
    """vLLM 0.8.2, Llama 3.1 8B, two slots of rank 16: 15.17 GiB."""
    made = known(LLAMA)
    line = adapted(made, Adapters(2, 16), Loading(scheme({}), 2.0), Split(), range(32))
    assert 14.99 + line.gib == pytest.approx(15.17, abs=0.04)


def test_layers_that_draft_are_loaded_where_they_draft() -> None:
    plain, drafting = gib("Qwen/Qwen3.5-27B"), gib("Qwen/Qwen3.5-27B", drafting=True)
    assert 0.5 < drafting - plain < 1.5


@pytest.mark.parametrize(
    ("size", "lost"), [(9.5, 0.0), (31.5, 0.5), (24.5, 0.0), (259.0, 1.0), (64.75, 0.0), (64.0, 0.0)]
)
def test_the_allocator_loses_what_is_too_small_to_be_given_to_others(size: float, lost: float) -> None:
    assert waste(size * MIB) == lost * MIB


def headers(made: Shape) -> dict[str, Tensor]:
    """The checkpoint that this shape has: each expert by itself."""
    found = {"model.embed_tokens.weight": Tensor("BF16", (made.vocab, made.hidden))}
    found["lm_head.weight"] = Tensor("BF16", (made.vocab, made.hidden))
    found["model.norm.weight"] = Tensor("BF16", (made.hidden,))
    for index, layer in enumerate(made.layers):
        for part in layer.parts:
            size = (part.out, part.into) if part.into > 1 else (part.out,)
            for copy in range(part.count):
                module = part.module.replace("experts.0", f"experts.{copy}")
                found[f"model.layers.{index}.{module}.weight"] = Tensor("BF16", size)
    return found


@pytest.mark.parametrize("tensor", [1, 2, 4])
@pytest.mark.parametrize("name", [LLAMA, "Qwen/Qwen3-32B"])
def test_headers_and_parts_agree(name: str, tensor: int) -> None:
    made, plain = known(name), Loading(scheme({}), 2.0, expert_ranks=tensor)
    layers = range(len(made.layers))
    read = sum(line.gib for line in weigh_headers(headers(made), made, plain, Split(tensor), layers))
    lines = weigh(made, plain, Split(tensor), layers)
    assert read == pytest.approx(sum(line.gib for line in lines if "allocator" not in line.rule), rel=1e-3)


def test_headers_say_what_a_stage_does_not_load() -> None:
    made = known(LLAMA)
    loading = Loading(scheme({}), 2.0)
    tensors = {
        **headers(made),
        "vision_tower.blocks.0.mlp.weight": Tensor("BF16", (4096, 4096)),
        "model.layers.32.mtp.weight": Tensor("BF16", (4096, 4096)),
    }
    without_tower = Loading(scheme({}), 2.0, tower=False)
    whole = sum(line.gib for line in weigh_headers(tensors, made, loading, Split(), range(32)))
    text = sum(line.gib for line in weigh_headers(tensors, made, without_tower, Split(), range(32)))
    last = sum(line.gib for line in weigh_headers(tensors, made, loading, Split(1, 2), range(16, 32)))
    assert whole - text == pytest.approx(4096 * 4096 * 2 / 2**30)
    assert last == pytest.approx(gib(LLAMA, pipeline=2, stage=1), abs=0.01)


def test_a_checkpoint_in_fp32_is_loaded_in_the_dtype_of_the_model() -> None:
    made, loading = known(LLAMA), Loading(scheme({}), 2.0)
    wide = {name: Tensor("F32", tensor.shape) for name, tensor in headers(made).items()}
    lines = weigh_headers(wide, made, loading, Split(), range(32))
    assert lines == weigh_headers(headers(made), made, loading, Split(), range(32))


@pytest.mark.parametrize(
    "name",
    [
        "zai-org/GLM-5-FP8",
        "nvidia/GLM-5.1-NVFP4",
        "nvidia/Kimi-K2.6-NVFP4",
        "meta-llama/Llama-3.1-405B-Instruct-FP8",
        "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4",
        "nvidia/Qwen3.6-27B-NVFP4",
    ],
)
def test_layers_that_no_pattern_names_are_weighed_as_one_by_one(name: str) -> None:
    stated = config(name)
    assert stated
    model, apart = shape(stated.config), scheme(stated.config)
    each = replace(apart, excluded=(*apart.excluded, "re:^nothing_like_this_[0-9]"))
    assert apart.apart and each.apart is None
    found, slow = (
        weigh(model, Loading(one, 2.0), Split(8), range(len(model.layers))) for one in (apart, each)
    )
    assert found == slow


@pytest.mark.parametrize(
    ("pattern", "layers"),
    [
        ("model.layers.0.mlp.gate", {0}),
        ("model.layers.125", {125}),
        ("model.layers.99*", {99, *range(990, 1000)}),
        ("re:.*layers\\.(0|1)\\.mlp", None),
        ("model.layers.[0-9].mlp", None),
    ],
)
def test_a_pattern_names_layers_by_number(pattern: str, layers: set[int] | None) -> None:
    assert numbered(pattern) == layers

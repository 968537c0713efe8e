"""vLLM's ledger: the worked example, one case per rule, and what must hold for every question."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from llmdeploy.catalog import gpu
from llmdeploy.catalog.configs import config
from llmdeploy.engines.base import Engine
from llmdeploy.memory import Card, Ledger, Question, Split, Verdict
from llmdeploy.memory.cards import traits
from llmdeploy.memory.model import Adapters, Drafter, Model
from llmdeploy.registry import ENGINES

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
H100 = Card("nvidia", 79.19, "h100-sxm-80gb", "NVIDIA H100", "9.0")
VLLM: Engine = ENGINES.get("vllm")


_TOWER = {
    "model_type": "qwen2_5_vl",
    "depth": 32,
    "hidden_size": 1280,
    "intermediate_size": 3420,
    "num_heads": 16,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
}
"""Of Qwen2.5-VL-7B-Instruct."""


def config_of_a_text_model() -> dict[str, Any]:
    """Qwen2.5-VL-7B is Qwen2.5-7B that sees."""
    return dict(model("Qwen/Qwen2.5-7B-Instruct").config)


def model(name: str) -> Model:
    found = config(name)
    assert found is not None
    return Model(name, found.source, found.config)


def card(name: str) -> Card:
    known = gpu(name)
    assert known is not None and known.memory_gib is not None
    return Card(known.vendor, known.memory_gib, known.id, known.name, known.capability, known.arch)


def ask(name: str = LLAMA, version: str | None = "0.19.0", on: Card = H100, **stated: Any) -> Ledger:
    return VLLM.memory(Question("vllm", version, model(name), on, **stated))


def test_the_worked_example() -> None:
    """Qwen3-30B-A3B on one H100, vLLM 0.19, 0.95: every line as the notes have it, 168,288 tokens observed."""
    found = ask("Qwen/Qwen3-30B-A3B", fraction=0.95)
    (rank,) = found.ranks
    assert found.usable_gib == pytest.approx(75.23, abs=0.01)
    assert rank.weights_gib == pytest.approx(56.88, abs=0.01)
    assert rank.activation_gib == pytest.approx(2.68, abs=0.02)
    assert rank.kv_gib == pytest.approx(15.41, abs=0.03)
    assert found.bytes_per_token == 98_304
    assert found.kv_tokens == pytest.approx(168_288, rel=0.003)
    assert found.requests_at_context == pytest.approx(4.1, abs=0.05)
    assert found.verdict is Verdict.FITS
    assert (found.context, found.concurrency, found.batch_tokens) == (40960, 1024, 8192)


def test_a_newer_release_takes_more_of_the_card_and_its_graphs_off_the_cache() -> None:
    found = ask("Qwen/Qwen3-30B-A3B", "0.22.0")
    assert found.fraction == 0.92
    assert found.usable_gib == pytest.approx(72.85, abs=0.01)
    assert found.kv_tokens == pytest.approx(130_000, rel=0.02)


def test_a_release_that_is_not_known_has_the_newest_rules() -> None:
    assert ask(version=None) == ask(version="0.33.0")


@pytest.mark.parametrize(
    ("on", "version", "taken"),
    [
        ("h100", "0.33.0", (1024, 8192, 0.92)),
        ("h100", "0.19.0", (1024, 8192, 0.90)),
        ("a100-80gb", "0.33.0", (256, 2048, 0.92)),
        ("rtx-4090", "0.33.0", (256, 2048, 0.92)),
        ("b200", "0.33.0", (1024, 16384, 0.92)),
        ("gb10", "0.33.0", (256, 2048, 0.92)),
        ("rtx-4090", "0.8.2", (1024, 2048, 0.90)),
        ("rtx-4090", "0.7.3", (256, 8192, 0.90)),
    ],
)
def test_what_is_not_stated_is_the_engines_own(on: str, version: str, taken: tuple[int, int, float]) -> None:
    found = ask("Qwen/Qwen3-0.6B", version, card(on), context=8192)
    assert (found.concurrency, found.batch_tokens, found.fraction) == taken


def test_what_is_stated_holds() -> None:
    found = ask(fraction=0.5, context=4096, concurrency=32, batch_tokens=1024)
    assert (found.fraction, found.context, found.concurrency, found.batch_tokens) == (0.5, 4096, 32, 1024)


def test_the_peak_is_the_samplers_and_shrinks_with_its_sequences() -> None:
    many, few = ask(concurrency=1024).ranks[0], ask(concurrency=64).ranks[0]
    assert any(line.rule.startswith("the sampler: 1024 sequences") for line in many.lines)
    assert many.activation_gib - few.activation_gib > 0.7


def test_a_model_that_embeds_has_no_sampler() -> None:
    (rank,) = ask(embed=True).ranks
    assert not any("sampler" in line.rule for line in rank.lines)


def test_only_the_last_stage_samples() -> None:
    """Llama 3.1 8B over two stages prints 1.10 and 2.01 GiB, and its tokens are the fewer: 1,075,312."""
    found = ask(fraction=0.95, split=Split(pipeline=2), context=8192)
    first, last = found.ranks
    assert first.activation_gib < last.activation_gib
    assert found.kv_tokens == pytest.approx(1_075_312, rel=0.003)


def test_v0_samples_on_its_first_rank_alone() -> None:
    found = ask(version="0.7.2", split=Split(2))
    assert found.ranks[0].activation_gib > found.ranks[1].activation_gib


def test_eager_has_no_graphs_and_few_sequences_have_few() -> None:
    assert ask(eager=True).ranks[0].cuda_graphs_gib == 0
    assert ask(concurrency=4).ranks[0].cuda_graphs_gib < ask().ranks[0].cuda_graphs_gib


def test_a_pinned_pool_makes_the_share_irrelevant() -> None:
    found = ask(kv_bytes=4 << 30, context=8192, fraction=0.1)
    assert found.ranks[0].kv_gib == 4
    assert found.kv_tokens == (4 << 30) // (131_072 * 16) * 16
    assert found.usable_gib is not None and 20 < found.usable_gib < 23
    assert found.verdict is Verdict.FITS


def test_a_pinned_pool_that_the_card_does_not_hold_does_not_fit() -> None:
    assert ask(kv_bytes=70 << 30, context=8192).verdict is Verdict.NO


def test_the_cache_is_of_the_dtype_that_is_asked_for() -> None:
    assert ask(kv_dtype="fp8").bytes_per_token == 65_536
    assert ask(dtype="float32").bytes_per_token == 262_144


def test_a_packed_cache_has_its_scales() -> None:
    """Half a byte of an element, and a byte of fp8 for 16 of them."""
    assert ask(version="0.33", kv_dtype="nvfp4").bytes_per_token == 32 * 2 * 8 * (64 + 8)


def test_a_checkpoint_says_the_dtype_of_its_cache() -> None:
    assert ask("nvidia/Llama-3.1-70B-Instruct-FP8", split=Split(2)).bytes_per_token == 80 * 4 * 256


def test_ranks_that_share_a_cache_print_all_its_tokens() -> None:
    """Kimi K2: 715,072 tokens of each rank are 5,721,088 over eight."""
    one = ask("moonshotai/Kimi-K2-Instruct", split=Split(8), on=card("h200"))
    eight = ask("moonshotai/Kimi-K2-Instruct", split=Split(8, decode_context=8), on=card("h200"))
    assert one.kv_tokens is not None
    assert eight.kv_tokens == 8 * one.kv_tokens


def test_every_copy_of_data_parallelism_has_ranks_of_its_own() -> None:
    found = ask(split=Split(2, data=2))
    assert len(found.ranks) == 4
    assert found.kv_tokens == ask(split=Split(2)).kv_tokens


def test_copies_share_the_experts_and_repeat_the_rest() -> None:
    alone = ask("Qwen/Qwen3-30B-A3B", split=Split(2, expert=True)).ranks[0].weights_gib
    shared = ask("Qwen/Qwen3-30B-A3B", split=Split(2, data=2, expert=True)).ranks[0].weights_gib
    assert alone / 2 < shared < alone


def of_workspace(found: Ledger) -> float:
    return next(line.gib for line in found.ranks[0].lines if line.rule.startswith("the experts' workspace"))


def test_experts_work_on_the_tokens_of_every_copy() -> None:
    """vLLM 0.33, AgRsAll2AllManager.dispatch: all ranks' tokens are gathered, with and without expert parallelism."""
    name, each = "zai-org/GLM-4.5-Air", 16384 * 8 * 2 * (4096 + 4096) / 2**30
    for expert in (True, False):
        spread = ask(name, "0.33.0", split=Split(1, data=8, expert=expert), batch_tokens=16384)
        assert of_workspace(spread) == pytest.approx(8 * each)
    assert of_workspace(ask(name, "0.33.0", split=Split(8), batch_tokens=16384)) == pytest.approx(each)
    tight = ask(name, "0.33.0", split=Split(1, data=8, expert=True), batch_tokens=16384, context=131072)
    assert tight.verdict is Verdict.NO


def test_whole_experts_work_on_whole_rows() -> None:
    """With expert parallelism an expert is not cut: 14,336 of its intermediate size, twice, on each of four ranks."""
    name, tokens = "mistralai/Mixtral-8x7B-Instruct-v0.1", 8192 * 2 * 2 / 2**30
    asked = {"split": Split(4, expert=True), "batch_tokens": 8192}
    assert of_workspace(ask(name, "0.33.0", **asked)) == pytest.approx(tokens * 3 * 14336)
    cut = ask(name, "0.33.0", split=Split(4), batch_tokens=8192)
    assert of_workspace(cut) == pytest.approx(tokens * (7168 + 4096))


def test_copies_of_a_dense_model_gather_nothing() -> None:
    alone, copied = ask(version="0.33.0").ranks[0], ask(version="0.33.0", split=Split(data=4)).ranks[0]
    assert (alone.activation_gib, alone.nontorch_gib) == (copied.activation_gib, copied.nontorch_gib)


def test_what_others_hold_can_be_too_much() -> None:
    """CodeLlama 34B: "Free memory on device (60.87/79.19 GiB) on startup is less than desired" at 0.95."""
    found = ask("codellama/CodeLlama-34b-hf", fraction=0.95, split=Split(2), used_gib=79.19 - 60.87)
    assert found.verdict is Verdict.NO
    assert found.reason is not None and found.reason.startswith("free-memory: ")


@pytest.mark.parametrize(
    ("on", "fraction", "verdict"),
    [
        ("a10g", 0.99, Verdict.TIGHT),
        ("a10g", 0.92, Verdict.FITS),
        ("h100", 0.99, Verdict.TIGHT),
        ("h100", 0.97, Verdict.FITS),
    ],
)
def test_what_is_free_at_the_start_is_an_estimate_too(on: str, fraction: float, verdict: Verdict) -> None:
    found = ask("Qwen/Qwen3-8B", "0.33", card(on), fraction=fraction, context=4096)
    assert found.verdict is verdict
    assert (found.reason or "").startswith("free-memory: ") is (verdict is Verdict.TIGHT)
    assert found.margin_gib is not None and found.margin_gib > 1.5


def test_slots_of_lora_and_a_drafter_take_of_the_cache() -> None:
    plain = ask().ranks[0].kv_gib
    assert ask(adapters=Adapters(2, 16)).ranks[0].kv_gib < plain
    drafter = Drafter("draft", 3, model("meta-llama/Llama-3.2-3B-Instruct"))
    drafting = ask(drafter=drafter).ranks[0]
    assert plain - drafting.kv_gib > 6
    assert any(line.rule.startswith("drafter meta-llama/Llama-3.2-3B-Instruct: ") for line in drafting.lines)


def of_tower(found: Ledger) -> float:
    return sum(line.gib for line in found.ranks[0].lines if line.rule.startswith("the vision tower, beside"))


def test_a_tower_for_images_of_any_size_runs_over_the_largest_while_memory_is_measured() -> None:
    """vLLM 0.33, qwen3_vl.py: 65,536 patches, of which a block holds 14 times 1,152 elements, and each has 1,536 pixels'."""
    patches = 65536 * (3 * 1152 + 8 * 1152 + 1536) * 2
    outputs = 16384 * 4096 * 2
    alone = ask("Qwen/Qwen3-VL-8B-Instruct", "0.33.0", card("rtx-4090"), context=16384).ranks[0]
    assert alone.activation_gib == pytest.approx((patches + 3 * outputs) / 2**30)
    # Where the sampler needs more, what the tower gave back is kept beside it: its output, and three of earlier layers.
    many = ask("Qwen/Qwen3-VL-8B-Instruct", "0.33.0", card("rtx-4090"), context=16384, concurrency=1024)
    assert of_tower(many) == pytest.approx(4 * outputs / 2**30)
    assert many.ranks[0].activation_gib > alone.activation_gib


def test_a_video_is_the_largest_item_where_the_context_holds_more_than_an_image() -> None:
    """vLLM 0.33, qwen2_vl.py: as many frames as the context holds, 14 at most, and two of them as many tokens as an image."""
    seen = {"architectures": ["Qwen2_5_VLForConditionalGeneration"], "vision_config": _TOWER}
    asked = Question("vllm", "0.33.0", Model("a/b", "test", {**config_of_a_text_model(), **seen}), H100)
    rules = [
        next(
            line.rule
            for line in VLLM.memory(replace(asked, **stated)).ranks[0].lines
            if "beside these" in line.rule
        )
        for stated in (
            {"context": 8192},
            {"context": 32768},
            {"context": 131072},
            {"context": 131072, "items": {"video": 0}},
        )
    ]
    assert [rule.split(": ")[1].split(" at once")[0] for rule in rules] == [
        "1 image of 16,384 tokens",
        "1 video of 32,768 tokens",
        "1 video of 114,688 tokens",
        "1 image of 16,384 tokens",
    ]


def test_what_a_kind_that_is_not_named_may_have_is_not_nothing() -> None:
    """vLLM's default is 999 of each kind (config/multimodal.py): without videos a model still sees images."""
    plain = ask("Qwen/Qwen3-VL-8B-Instruct", "0.33.0", context=8192)
    without = ask("Qwen/Qwen3-VL-8B-Instruct", "0.33.0", context=8192, items={"video": 0})
    assert (without.ranks[0].weights_gib, of_tower(without)) == (plain.ranks[0].weights_gib, of_tower(plain))


def of_experts(found: Ledger) -> float:
    return sum(line.gib for line in found.ranks[0].lines if line.rule.startswith("LoRA of "))


def test_every_expert_has_slots_of_lora() -> None:
    """vLLM 0.33, lora/layers/fused_moe.py: of each expert, A and B of gate, up and down."""
    asked = {"adapters": Adapters(2, 64)}
    each = 64 * (3 * 2048 + 3 * 768)
    whole = of_experts(ask("Qwen/Qwen3-30B-A3B", "0.33.0", **asked))
    assert whole == pytest.approx(2 * 128 * each * 48 * 2 / 2**30)
    # Of gate and up, A is whole on every rank, and so is B of down; the rest is cut.
    cut = of_experts(ask("Qwen/Qwen3-30B-A3B", "0.33.0", split=Split(2), **asked))
    assert cut == pytest.approx(2 * 128 * 64 * (3 * 2048 + 3 * 768 / 2) * 48 * 2 / 2**30)
    spread = of_experts(ask("Qwen/Qwen3-30B-A3B", "0.33.0", split=Split(2, expert=True), **asked))
    assert spread == pytest.approx(whole / 2)


def test_gate_and_up_in_one_tensor_share_a_matrix_of_lora() -> None:
    """vLLM 0.33, FusedMoE3DWithLoRA: A over 3,072 padded inputs once, B over twice 2,944 outputs; and down's own pair."""
    found = of_experts(ask("openai/gpt-oss-20b", "0.33.0", adapters=Adapters(4, 64)))
    assert found == pytest.approx(4 * 64 * 32 * (2 * 3072 + 3 * 2944) * 24 * 2 / 2**30)


def test_experts_had_no_slots_before_vllm_wrapped_them() -> None:
    adapters = Adapters(2, 64)
    assert of_experts(ask("Qwen/Qwen3-30B-A3B", "0.11.0", adapters=adapters)) == 0
    assert of_experts(ask("Qwen/Qwen3-30B-A3B", "0.11.1", adapters=adapters)) > 12
    assert of_experts(ask(version="0.33.0", adapters=adapters)) == 0


def test_ngram_drafts_without_weights() -> None:
    assert ask(drafter=Drafter("ngram", 3)).ranks[0].weights_gib == ask().ranks[0].weights_gib


def test_a_drafter_that_is_not_known_is_not_guessed() -> None:
    found = ask(drafter=Drafter("eagle3", 3))
    assert (found.verdict, found.reason) == (
        Verdict.UNKNOWN,
        "drafter: the config.json of the `eagle3` drafter is not known",
    )


def test_a_language_model_alone_loads_no_tower() -> None:
    whole = ask("Qwen/Qwen3-VL-8B-Instruct", context=8192).ranks[0]
    text = ask("Qwen/Qwen3-VL-8B-Instruct", context=8192, items={"image": 0, "video": 0}).ranks[0]
    assert whole.weights_gib - text.weights_gib > 1
    assert text.activation_gib < whole.activation_gib


def test_margins_near_nothing_are_tight() -> None:
    verdicts = [ask(context=131072, fraction=share / 1000).verdict for share in range(400, 500, 2)]
    assert [*dict.fromkeys(verdicts)] == [Verdict.NO, Verdict.TIGHT, Verdict.FITS]


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_what_was_never_measured_on_amd_says_so_and_has_a_wider_margin(engine: str) -> None:
    """The rows are logs of H100s; between the usual error and twice of it, AMD is TIGHT and NVIDIA fits."""
    asked = Question(engine, None, model("Qwen/Qwen3-32B"), card("mi300x"), context=40960)
    found, other = (ENGINES.get(engine).memory(replace(asked, card=each)) for each in (asked.card, H100))
    rules = [line.rule for line in found.ranks[0].lines]
    assert not any(re.search(r"\[[MF]\]|CUDA|NCCL", rule) for rule in rules)
    assert any(re.search(r"\[M on NVIDIA\]", rule) for rule in rules)
    assert any("measured on AMD" in note for note in found.notes)
    assert not any("AMD" in note for note in other.notes)


@pytest.mark.parametrize(("vendor", "verdict"), [("amd", Verdict.TIGHT), ("nvidia", Verdict.FITS)])
def test_twice_the_error_is_kept_on_amd(vendor: str, verdict: Verdict) -> None:
    card = Card(vendor, 100.0, "mi300x" if vendor == "amd" else "h100-sxm-80gb")
    spare = ask(version="0.33.0", on=card, context=131072, fraction=0.5).margin_gib
    assert spare is not None
    nearly = 0.5 - (spare - 2.0) / 100.0  # 2 GiB to spare: more than 1.5 % of the card, and less than 3 %
    found = ask(version="0.33.0", on=card, context=131072, fraction=nearly)
    assert found.margin_gib == pytest.approx(2.0, abs=0.1)
    assert found.verdict is verdict


def on_cpu(gib: float, name: str = "Qwen/Qwen3-0.6B", **stated: Any) -> Ledger:
    return ask(name, "0.33.0", Card("cpu", gib), **{"kv_bytes": 1 << 30, "context": 4096, **stated})


@pytest.mark.parametrize("on", ["t4", "l4", "rtx-3090", "rtx-4090", "l40s", "h100-pcie-80gb"])
def test_two_cards_without_nvlink_have_little_gone_before_vllm_looks(on: str) -> None:
    """What NVLink's workspaces take on an H100 would be a tenth of a T4, and end each start at vLLM's own share."""
    size = card(on).memory_gib
    asked = {"version": "0.33.0", "on": card(on), "split": Split(2), "context": 4096, "concurrency": 16}
    assert ask("Qwen/Qwen3-0.6B", **asked).verdict is Verdict.FITS
    most = (size - 0.4) / size
    assert ask("Qwen/Qwen3-0.6B", **asked, fraction=most - 0.001).verdict is not Verdict.NO
    refused = ask("Qwen/Qwen3-0.6B", **asked, fraction=most + 0.001)
    assert refused.reason is not None and refused.reason.startswith("free-memory")


def test_a_card_is_known_by_its_drivers_name_as_by_its_id() -> None:
    named = {"NVIDIA H100 80GB HBM3": "h100-sxm-80gb", "NVIDIA H100 PCIe": "h100-pcie-80gb"}
    named |= {"Tesla T4": "t4", "NVIDIA GeForce RTX 4090": "rtx-4090", "AMD Instinct MI300X": "mi300x"}
    for name, id in named.items():
        known = card(id)
        assert traits(replace(known, id=None, name=name), Split(2)) == traits(known, Split(2)), name


def test_on_a_cpu_the_pool_is_what_is_pinned_in_long_blocks() -> None:
    found = on_cpu(16.0)
    assert found.verdict is Verdict.FITS
    assert (found.usable_gib, found.fraction) == (16.0, None)
    assert found.kv_tokens == (1 << 30) // (28 * 4096 * 128) * 128
    assert found.ranks[0].cuda_graphs_gib == 0
    assert (found.concurrency, found.batch_tokens) == (128, 2048)


def test_a_pool_of_a_cpu_that_does_not_hold_one_request_does_not_fit() -> None:
    """32,768 tokens take 3.5 GiB, whatever else the node has."""
    found = on_cpu(64.0, context=32768)
    assert found.verdict is Verdict.NO and found.reason is None
    assert found.margin_gib == pytest.approx(1 - 3.5 - 0.014, abs=0.002)


def test_weights_and_pool_that_are_more_than_a_node_has_do_not_fit() -> None:
    found = on_cpu(2.0)
    assert found.verdict is Verdict.NO
    assert found.reason == (
        "memory: 1.12 GiB of weights and 1.00 GiB of KV cache are more than the 2.00 GiB that it may take"
    )
    assert found.margin_gib is not None and found.margin_gib < 0


def test_what_is_only_estimated_on_a_cpu_makes_it_tight_and_no_worse() -> None:
    assert on_cpu(2.2).verdict is Verdict.TIGHT
    assert any("[A]" in line.rule for line in on_cpu(2.2).ranks[0].lines if line.term == "activation")


def test_a_window_of_a_cpu_holds_one_batch_in_flight_and_not_two() -> None:
    """Only on a GPU is one scheduled while another runs. The figures are those that vLLM 0.32 prints."""
    tiny = {
        "architectures": ["Gemma3ForCausalLM"],
        "hidden_size": 128,
        "intermediate_size": 128,
        "num_hidden_layers": 6,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 64,
        "vocab_size": 259,
        "max_position_embeddings": 2048,
        "sliding_window": 128,
        "layer_types": ["sliding_attention"] * 5 + ["full_attention"],
        "dtype": "bfloat16",
    }
    asked = Question("vllm", "0.32.0", Model("tiny", "made up", tiny), Card("cpu", 16.0), kv_bytes=1 << 28)
    short = VLLM.memory(replace(asked, context=256))
    assert (short.kv_tokens, short.requests_at_context) == (123_361, 8192 / 17)
    whole, batch = VLLM.memory(asked), VLLM.memory(replace(asked, batch_tokens=512))
    # 16 blocks of 128 tokens; in each of five groups the window and one batch, 2,048 tokens at most, and a block more.
    assert whole.requests_at_context == 8192 / (16 + 5 * 17)
    assert batch.requests_at_context == 8192 / (16 + 5 * 6)


@pytest.mark.parametrize(
    ("name", "stated", "reason"),
    [
        ("deepseek-ai/DeepSeek-V4-Pro", {}, "architecture: `DeepseekV4ForCausalLM` is not modelled"),
        (
            LLAMA,
            {"on": Card("cpu", 64.0)},
            "card: what vLLM does with a CPU's memory is modelled from 0.32 on",
        ),
        (
            LLAMA,
            {"on": Card("cpu", 64.0), "version": "0.33.0"},
            "card: what vLLM leaves for a pool that is not pinned depends on the node",
        ),
        (LLAMA, {"on": Card("intel", 64.0)}, "card: how memory is shared out on `intel` is not modelled"),
        (LLAMA, {"quantization": "hqq"}, "quantization: what `hqq` makes of plain weights is not modelled"),
    ],
)
def test_what_is_not_modelled_is_unknown_with_the_id_of_its_rule(
    name: str, stated: dict[str, Any], reason: str
) -> None:
    found = ask(name, **stated)
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, reason)


@pytest.mark.parametrize(
    ("name", "split", "reason"),
    [
        (LLAMA, Split(3), "split: 32 heads cannot be divided over 3 ranks"),
        ("Qwen/Qwen3-14B", Split(5), "split: 8 KV heads can neither be divided over 5 ranks nor repeated"),
        (LLAMA, Split(1, 40), "split: 32 layers are fewer than 40 stages"),
    ],
)
def test_a_split_that_no_engine_starts_with_does_not_fit(name: str, split: Split, reason: str) -> None:
    found = ask(name, split=split)
    assert (found.verdict, found.reason) == (Verdict.NO, reason)


NAMES = st.sampled_from(
    [
        *(LLAMA, "Qwen/Qwen3-30B-A3B", "google/gemma-3-27b-it", "openai/gpt-oss-20b", "Qwen/Qwen3.5-35B-A3B"),
        *("deepseek-ai/DeepSeek-V2-Lite-Chat", "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16"),
    ]
)
RELEASES = st.sampled_from(["0.7.3", "0.8.5", "0.16.0", "0.19.0", "0.33.0"])
PINNED: dict[str, Any] = {"concurrency": 128, "batch_tokens": 4096}


@given(NAMES, RELEASES, st.sampled_from([1, 2]))
@settings(max_examples=30, deadline=None)
def test_more_ranks_never_take_more_weights_each(name: str, version: str, tensor: int) -> None:
    few, many = (ask(name, version, split=Split(ranks)) for ranks in (tensor, 2 * tensor))
    assert max(rank.weights_gib for rank in many.ranks) <= max(rank.weights_gib for rank in few.ranks)


@given(NAMES, RELEASES, st.integers(512, 60_000), st.integers(1, 60_000))
@settings(max_examples=40, deadline=None)
def test_more_context_never_leaves_more(name: str, version: str, context: int, more: int) -> None:
    short, long = (ask(name, version, context=tokens, **PINNED) for tokens in (context, context + more))
    assert short.margin_gib is not None and long.margin_gib is not None
    assert long.margin_gib <= short.margin_gib


@given(NAMES, RELEASES, st.floats(8, 300), st.floats(0, 100))
@settings(max_examples=40, deadline=None)
def test_what_fits_still_fits_with_more_memory(name: str, version: str, memory: float, more: float) -> None:
    order = [Verdict.NO, Verdict.TIGHT, Verdict.FITS]
    small, large = (
        ask(name, version, Card("nvidia", gib, "h100-sxm-80gb", "", "9.0"), context=8192, **PINNED)
        for gib in (memory, memory + more)
    )
    assert order.index(small.verdict) <= order.index(large.verdict)


@given(NAMES, RELEASES, st.sampled_from([1, 2, 4]), st.sampled_from([1, 2]))
@settings(max_examples=40, deadline=None)
def test_sums_are_those_of_their_lines_and_all_is_filled(
    name: str, version: str, tensor: int, pipeline: int
) -> None:
    found = ask(name, version, split=Split(tensor, pipeline))
    assert len(found.ranks) == tensor * pipeline
    for rank in found.ranks:
        sums = {"weights": 0.0, "activation": 0.0, "nontorch": 0.0, "cuda_graphs": 0.0, "kv": 0.0}
        for line in rank.lines:
            sums[line.term] += line.gib
        assert list(sums.values()) == pytest.approx(
            [rank.weights_gib, rank.activation_gib, rank.nontorch_gib, rank.cuda_graphs_gib, rank.kv_gib]
        )
    filled = (
        found.margin_gib,
        found.usable_gib,
        found.kv_tokens,
        found.requests_at_context,
        found.max_sequences,
    )
    assert None not in filled
    assert None not in (found.bytes_per_token, found.kv_bytes_per_request, found.context, found.fraction)


@pytest.mark.parametrize(
    ("stated", "tokens"),
    [
        ({}, 1_048_294),  # an H200 said 1,048,371 (docs/gpu.md)
        ({"sliding_window": 4096}, 1_048_294),
        ({"sliding_window": None}, 655_696),
    ],
    ids=["its class's own", "stated", "none"],
)
def test_a_window_that_config_json_leaves_out_is_that_of_the_class(
    stated: dict[str, Any], tokens: int
) -> None:
    known = model("mistralai/Mistral-Small-3.1-24B-Instruct-2503")
    own = {key: value for key, value in known.config.items() if key != "vision_config"}
    named = {"architectures": ["MistralForCausalLM"], "model_type": "mistral", **stated}
    asked = Question(
        "vllm",
        "0.26.0",
        Model("m", "", {**own, **named}),
        card("h200-sxm-141gb"),
        context=32768,
        concurrency=64,
        fraction=0.9,
        batch_tokens=8192,
        quantization="fp8",
    )
    assert VLLM.memory(asked).kv_tokens == tokens

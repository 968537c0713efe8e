"""SGLang's and TGI's ledgers, and OpenLLM's, which is vLLM's."""

from __future__ import annotations

from typing import Any

import pytest

from llmdeploy.catalog import bentos, gpu
from llmdeploy.catalog.configs import config
from llmdeploy.memory import Card, Ledger, Question, Split, Verdict
from llmdeploy.memory.model import Model
from llmdeploy.registry import ENGINES

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def model(name: str) -> Model:
    found = config(name)
    assert found is not None
    return Model(name, found.source, found.config)


def card(name: str) -> Card:
    known = gpu(name)
    assert known is not None and known.memory_gib is not None
    return Card(known.vendor, known.memory_gib, known.id, known.name, known.capability, known.arch)


def ask(
    engine: str, name: str = LLAMA, on: str = "h100", version: str | None = None, **stated: Any
) -> Ledger:
    return ENGINES.get(engine).memory(Question(engine, version, model(name), card(on), **stated))


def test_sglang_shares_what_is_free_before_loading_between_weights_and_cache() -> None:
    """Qwen3-14B over four cards of 24 GB at 0.8: 16.00 − 23.08 × 0.2 = 11.38 GiB, 298,447 tokens."""
    found = ask("sglang", "Qwen/Qwen3-14B", "rtx-4090", "0.5.9", split=Split(4), fraction=0.8)
    rank = found.ranks[0]
    assert found.usable_gib == pytest.approx(23.08, abs=0.06)
    assert rank.kv_gib == pytest.approx(11.38, abs=0.15)
    assert found.kv_tokens == pytest.approx(298_447, rel=0.02)


def test_sglang_runs_deepseek_r1_with_the_tokens_that_were_seen() -> None:
    """Eight H200 at 0.82: about 509,000 tokens."""
    found = ask("sglang", "deepseek-ai/DeepSeek-R1", "h200", "0.5", split=Split(8), fraction=0.82)
    assert found.kv_tokens == pytest.approx(509_000, rel=0.01)
    assert found.bytes_per_token == 61 * 576 * 2


@pytest.mark.parametrize(
    ("on", "version", "tensor", "share"),
    [
        ("rtx-4090", "0.4.0", 1, 0.88),
        ("h100", "0.4.6", 8, 0.81),
        ("h100", "0.5.9", 1, 0.839),
        ("h100", "0.5.9", 4, 0.826),
        ("rtx-4090", "0.5.9", 1, 0.719),
    ],
)
def test_sglangs_own_share_depends_on_release_card_and_ranks(
    on: str, version: str, tensor: int, share: float
) -> None:
    assert ask("sglang", on=on, version=version, split=Split(tensor)).fraction == pytest.approx(
        share, abs=0.006
    )


def test_sglang_loads_all_weights_before_it_quantizes_them() -> None:
    """61 GiB in 16 bits on a card of 44.4: sgl-project/sglang#2895 ends there, and 32 GiB of fp8 are never reached."""
    found = ask("sglang", "Qwen/Qwen2.5-32B-Instruct", "l40s", quantization="fp8", context=4096)
    assert (found.verdict, found.ranks[0].weights_gib < 33) == (Verdict.NO, True)
    assert found.reason is not None and found.reason.startswith("loading: its weights take 61.0")
    assert found.margin_gib == pytest.approx(43.93 - 61.04, abs=0.02)
    over_two = ask(
        "sglang", "Qwen/Qwen2.5-32B-Instruct", "l40s", quantization="fp8", context=4096, split=Split(2)
    )
    assert (over_two.verdict, over_two.reason) == (Verdict.FITS, None)


def test_a_peak_of_loading_near_the_card_is_tight() -> None:
    """Qwen3-14B is 27.5 GiB in 16 bits: by so little it may be too much for what is free of 28.4."""
    stated = {"quantization": "fp8", "context": 4096}
    asked = Question("sglang", None, model("Qwen/Qwen3-14B"), Card("nvidia", 28.4, "rtx-5090"), **stated)
    found = ENGINES.get("sglang").memory(asked)
    assert found.verdict is Verdict.TIGHT
    assert found.reason is not None and found.reason.startswith("loading: ")


def test_a_checkpoint_in_fp8_has_no_peak_of_loading() -> None:
    found = ask("sglang", "Qwen/Qwen3-32B-FP8", "l40s", context=4096)
    assert (found.verdict, found.reason) == (Verdict.FITS, None)


def test_vllm_loaded_all_weights_first_before_it_used_the_meta_device() -> None:
    asked = {"quantization": "fp8", "context": 4096, "concurrency": 16}
    old, new = (ask("vllm", "Qwen/Qwen2.5-32B-Instruct", "l40s", at, **asked) for at in ("0.14.0", "0.33.0"))
    assert (old.verdict, new.verdict) == (Verdict.NO, Verdict.FITS)
    assert old.reason is not None and old.reason.startswith("loading: ")


def test_sglang_gives_layers_with_a_window_a_pool_of_their_own() -> None:
    """Four fifths of the tokens: MiMo-V2-Flash prints 375,360 and 300,288."""
    found = ask("sglang", "XiaomiMiMo/MiMo-V2-Flash", "h200", split=Split(8))
    full, windowed = 9 * 320 * 2, 39 * 320 * 2
    assert found.bytes_per_token == int(full + 0.8 * windowed)


@pytest.mark.parametrize(
    ("name", "each"),
    [
        ("google/gemma-3-27b-it", 62 * 2 * 16 * 128 * 2),
        ("google/gemma-2-27b-it", 46 * 2 * 16 * 128 * 2),
        ("openai/gpt-oss-20b", int((12 + 0.8 * 12) * 2 * 8 * 64 * 2)),
    ],
)
def test_sglang_keeps_windows_whole_where_it_has_no_pool_for_them(name: str, each: int) -> None:
    assert ask("sglang", name, "h100", context=8192).bytes_per_token == each


def test_a_ratio_means_nothing_where_windows_have_no_pool() -> None:
    whole = ask("sglang", "google/gemma-3-27b-it", "h100", context=8192)
    asked = ask(
        "sglang", "google/gemma-3-27b-it", "h100", context=8192, options={"swa-full-tokens-ratio": 0.1}
    )
    assert asked.bytes_per_token == whole.bytes_per_token


def test_sglang_sets_states_aside_before_tokens() -> None:
    found = ask("sglang", "Qwen/Qwen3.5-35B-A3B", "h200", context=8192)
    kv = [line for line in found.ranks[0].lines if line.term == "kv"]
    assert [line.rule.split(":")[0] for line in kv] == ["Mamba Cache", "KV Cache"]
    assert found.ranks[0].kv_gib == pytest.approx(sum(line.gib for line in kv))
    assert found.max_sequences is not None and found.max_sequences < 2048


def test_a_share_that_leaves_too_little_to_run_is_tight_and_says_so() -> None:
    found = ask("sglang", fraction=0.985, context=8192)
    assert found.verdict is Verdict.TIGHT
    assert found.reason is not None and "more than mem_fraction_static leaves" in found.reason
    assert found.margin_gib is not None and found.margin_gib > 0


def test_the_table_of_running_requests_is_in_the_ledger() -> None:
    """An int32 for each token that each of them can have: 2 GiB of gpt-oss-20b at full length."""
    found = ask("sglang", "openai/gpt-oss-20b", context=131072)
    assert found.max_sequences == 4096
    line = next(line for line in found.ranks[0].lines if line.rule.startswith("where the tokens are"))
    assert (line.term, line.gib) == ("activation", 4096 * 131072 * 4 / 2**30)
    few = ask("sglang", "openai/gpt-oss-20b", context=131072, concurrency=16)
    assert few.ranks[0].activation_gib == pytest.approx(found.ranks[0].activation_gib - 4080 * 2**19 / 2**30)


def test_a_table_that_the_share_leaves_no_room_for_does_not_fit() -> None:
    """2,048 requests of 3,000,000 tokens: 22.9 GiB outside the share, where 14.7 are left."""
    scout = {"name": "meta-llama/Llama-4-Scout-17B-16E-Instruct", "on": "h200", "split": Split(8)}
    found = ask("sglang", **scout, context=3_000_000)
    assert found.verdict is Verdict.NO
    assert found.reason is not None and found.reason.startswith("outside: the table")
    assert found.margin_gib == pytest.approx(-8.15, abs=0.1)
    assert ask("sglang", **scout, context=3_000_000, concurrency=64).verdict is Verdict.FITS


def test_a_share_of_a_card_has_room_for_the_table() -> None:
    shared = {"name": "Qwen/Qwen3-8B", "context": 40960, "share": 0.6}
    many, few = ask("sglang", **shared, concurrency=4096), ask("sglang", **shared, concurrency=16)
    for found in (many, few):
        rank = found.ranks[0]
        taken = (
            rank.weights_gib + rank.kv_gib + rank.activation_gib + rank.nontorch_gib + rank.cuda_graphs_gib
        )
        assert taken <= 0.6 * 79.18
    assert many.fraction is not None and few.fraction is not None and many.fraction < few.fraction


def test_sglang_pads_a_vocabulary_so_that_it_divides_and_vllm_refuses_it() -> None:
    known = model(LLAMA)
    odd = Model("odd", "made up", {**known.config, "num_attention_heads": 20, "num_key_value_heads": 5})
    on = card("h100")
    padded = {
        name: ENGINES.get(name).memory(Question(name, None, odd, on, split=Split(5))) for name in ENGINES
    }
    assert padded["vllm"].reason == "split: a vocabulary of 128256 cannot be divided over 5 ranks"
    rule = next(line.rule for line in padded["sglang"].ranks[0].lines if "128256 entries" in line.rule)
    assert rule.startswith("embed_tokens and lm_head: 128256 entries of 4096, padded to 320")
    table = next(line.gib for line in padded["sglang"].ranks[0].lines if line.rule == rule)
    # 401 times 320 rows of each table, and the last norm.
    assert table * 2**30 == 2 * 401 * 320 / 5 * 4096 * 2 + 4096 * 2


def test_tgi_pads_no_vocabulary_and_keeps_an_output_layer_whole_that_does_not_divide() -> None:
    known = model(LLAMA)
    odd = Model("odd", "made up", {**known.config, "num_attention_heads": 20, "num_key_value_heads": 5})
    found = ENGINES.get("tgi").memory(Question("tgi", None, odd, card("h100"), split=Split(5)))
    table = next(line.gib for line in found.ranks[0].lines if "128256 entries" in line.rule)
    assert table * 2**30 == pytest.approx((128256 / 5 + 128256) * 4096 * 2 + 4096 * 2)


@pytest.mark.parametrize(
    ("gib", "verdict", "reason"),
    [
        (3.0, Verdict.NO, "memory: SGLang holds back 3.63 GiB to run in, and may take 3.00 GiB in all"),
        (6.0, Verdict.UNKNOWN, "card: what is free on a node when SGLang starts is not known"),
    ],
)
def test_sglang_on_a_cpu_has_no_share_of_a_small_node(gib: float, verdict: Verdict, reason: str) -> None:
    asked = Question("sglang", "0.5.23", model(LLAMA), Card("cpu", gib), concurrency=4, kv_bytes=1 << 28)
    found = ENGINES.get("sglang").memory(asked)
    assert (found.verdict, found.reason) == (verdict, reason)


def test_a_share_that_is_stated_for_sglang_on_a_cpu_is_not_computed() -> None:
    asked = Question("sglang", "0.5.23", model(LLAMA), Card("cpu", 3.0), options={"mem-fraction-static": 0.5})
    assert ENGINES.get("sglang").memory(asked).verdict is Verdict.UNKNOWN


def test_tgi_divides_what_is_free_after_the_largest_prefill_but_for_a_tenth_of_the_card() -> None:
    """get_cuda_free_memory takes the tenth of all memory (3.3.7, utils/import_utils.py)."""
    found = ask("tgi", version="3.3.7", batch_tokens=4096, context=8192)
    rank = found.ranks[0]
    free = 79.18 - rank.nontorch_gib - rank.weights_gib - rank.activation_gib - 4096 * 131_072 / 2**30
    assert rank.kv_gib == pytest.approx(free - 0.1 * 79.18 + 0.5)
    assert found.verdict is Verdict.FITS


def test_a_larger_prefill_of_tgi_leaves_less() -> None:
    small, large = (ask("tgi", batch_tokens=tokens, context=8192).margin_gib for tokens in (4096, 65536))
    assert small is not None and large is not None and large < small


@pytest.mark.parametrize(
    ("name", "stated", "reason"),
    [
        ("deepseek-ai/DeepSeek-V3", {"split": Split(8)}, "architecture: how TGI caches"),
        (LLAMA, {"split": Split(1, 2)}, "split: TGI has no pipeline stages"),
    ],
)
def test_what_tgi_does_not_do_is_unknown(name: str, stated: dict[str, Any], reason: str) -> None:
    found = ask("tgi", name, **stated)
    assert found.verdict is Verdict.UNKNOWN
    assert found.reason is not None and found.reason.startswith(reason)


def test_openllm_is_the_vllm_that_its_bento_pins() -> None:
    packed = next(one for one in bentos().all if config(one.hub_id) is not None)
    known = model(packed.hub_id)
    on = card("h200")
    asked = Question("openllm", "0.6.30", Model(packed.tag, known.source, known.config), on, split=Split(8))
    vllm = Question("vllm", packed.vllm, known, on, split=Split(8), context=packed.max_model_len)
    assert ENGINES.get("openllm").memory(asked) == ENGINES.get("vllm").memory(vllm)


def test_a_bento_that_is_not_known_is_unknown() -> None:
    found = ENGINES.get("openllm").memory(Question("openllm", None, model(LLAMA), card("h100")))
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, f"bento: the catalog has no Bento `{LLAMA}`")


@pytest.mark.parametrize("engine", ["sglang", "tgi"])
def test_sums_are_those_of_their_lines_and_all_is_filled(engine: str) -> None:
    found = ask(engine, split=Split(2))
    for rank in found.ranks:
        for term, size in (
            ("weights", rank.weights_gib),
            ("activation", rank.activation_gib),
            ("nontorch", rank.nontorch_gib),
            ("cuda_graphs", rank.cuda_graphs_gib),
            ("kv", rank.kv_gib),
        ):
            assert sum(line.gib for line in rank.lines if line.term == term) == pytest.approx(size)
    assert None not in (found.margin_gib, found.kv_tokens, found.requests_at_context, found.max_sequences)
    assert None not in (found.bytes_per_token, found.kv_bytes_per_request, found.fraction, found.batch_tokens)

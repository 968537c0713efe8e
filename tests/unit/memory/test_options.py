"""What `engine_args` and `env` move in a ledger, and what they stop."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from support.option_tables import ENGINES as WITH_TABLES
from support.option_tables import rows

from llmdeploy import compile
from llmdeploy.catalog import gpu
from llmdeploy.catalog.configs import config
from llmdeploy.memory import Card, Ledger, Question, Split, Verdict
from llmdeploy.memory.model import Adapters, Drafter, Model, Tensor
from llmdeploy.memory.weights import GIB
from llmdeploy.registry import ENGINES

LLAMA = "meta-llama/Llama-3.1-8B-Instruct"
QWEN14 = "Qwen/Qwen2.5-14B-Instruct"
GEMMA = "google/gemma-3-12b-it"
HYBRID = "Qwen/Qwen3.5-35B-A3B"
RELEASES = {"vllm": "0.33.0", "sglang": "0.5.23", "tgi": "3.3.7"}


def ask(
    engine: str = "vllm",
    options: Any = None,
    env: Any = None,
    *,
    name: str = LLAMA,
    on: str = "rtx-4090",
    **stated: Any,
) -> Ledger:
    found, known = config(name), gpu(on)
    assert found and known and known.memory_gib
    card = Card(known.vendor, known.memory_gib, known.id, known.name, known.capability, known.arch)
    stated = {"context": 8192, "version": RELEASES[engine], **stated}
    model = Model(name, found.source, found.config)
    return ENGINES.get(engine).memory(
        Question(engine, model=model, card=card, options=options, env=env, **stated)
    )


def kv(found: Ledger) -> float:
    assert found.ranks, found.reason
    return found.ranks[0].kv_gib


# vLLM


@pytest.mark.parametrize(
    "options",
    [
        {"enforce-eager": True},
        {"--enforce_eager": True},
        {"compilation-config": {"cudagraph_mode": "NONE"}},
        {"compilation-config": '{"cudagraph_mode": "none"}'},
        {"compilation-config.cudagraph_mode": "NONE"},
        {"-cc.cudagraph-mode": "NONE"},
        {"optimization-level": 0},
    ],
)
def test_no_graphs_are_charged_where_none_are_captured(options: dict[str, Any]) -> None:
    plain, found = ask(), ask(options=options)
    assert found.ranks[0].cuda_graphs_gib == 0
    assert kv(found) == pytest.approx(kv(plain) + plain.ranks[0].cuda_graphs_gib)


@pytest.mark.parametrize(
    "options",
    [
        {"enforce-eager": False},
        {"no-enforce-eager": True},
        {"optimization-level": 0, "compilation-config.cudagraph_mode": "FULL_AND_PIECEWISE"},
        {"compilation-config.mode": 3},
        {"seed": 7, "max-log-len": 100, "enable-sleep-mode": True, "mm-processor-cache-gb": 8},
        {"kv-offloading-size": 16},
    ],
)
def test_what_takes_nothing_of_the_gpu_leaves_the_ledger_as_it_is(options: dict[str, Any]) -> None:
    assert ask(options=options) == ask()


@pytest.mark.parametrize(
    "options",
    [
        {"enforce-eager": True},
        {"compilation-config": '{"cudagraph_mode": "NONE"}'},
        {"compilation-config.cudagraph_mode": "NONE"},
    ],
)
def test_a_release_that_the_catalog_does_not_cover_is_read_by_what_its_flags_look_like(options: Any) -> None:
    assert ask(options=options, version="0.40.0").ranks[0].cuda_graphs_gib == 0
    assert ask(options={"no-enforce-eager": True}, version="0.40.0") == ask(version="0.40.0")


def test_fewer_graphs_take_less() -> None:
    sizes = [
        ask(options=options).ranks[0].cuda_graphs_gib
        for options in ({}, {"max-cudagraph-capture-size": 256}, {"cudagraph-capture-sizes": [1, 2, 4, 8]})
    ]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 3
    (one,) = ask(options={"compilation-config.cudagraph_mode": "PIECEWISE"}).ranks
    assert one.cuda_graphs_gib == pytest.approx(sizes[0] / 2)
    assert any("half of both [A]" in line.rule for line in one.lines)


def test_graphs_that_are_not_estimated_come_on_top() -> None:
    found = ask(env={"VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS": "0"})
    assert kv(found) == pytest.approx(kv(ask(options={"enforce-eager": True})))
    assert found.ranks[0].cuda_graphs_gib > 0
    before = ask(env={"VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS": "1"}, version="0.20.2")
    assert kv(before) < kv(ask(version="0.20.2"))


def test_blocks_that_are_stated_are_the_pool() -> None:
    found = ask(options={"num-gpu-blocks-override": 1000})
    assert (found.kv_tokens, found.pinned) == (16_000, True)
    assert kv(found) == 1000 * 16 * 131_072 / 2**30
    assert ask(options={"num-gpu-blocks-override": 1000, "block-size": 32}).kv_tokens == 32_000


def test_fewer_blocks_than_a_request_has_are_refused_and_so_are_more_than_the_card_holds() -> None:
    assert ask(options={"num-gpu-blocks-override": 512}).verdict is Verdict.NO  # one block is never given out
    # Blocks are no estimate: one more is enough.
    assert ask(options={"num-gpu-blocks-override": 513}).verdict is Verdict.FITS
    assert ask(options={"num-gpu-blocks-override": 3750}).verdict is Verdict.TIGHT
    many = ask(options={"num-gpu-blocks-override": 100_000})
    assert many.verdict is Verdict.NO and "num-gpu-blocks-override" in (many.reason or "")


def test_weights_in_the_hosts_memory_are_none_of_the_cards() -> None:
    assert ask(name=QWEN14).verdict is Verdict.NO
    found = ask(name=QWEN14, options={"cpu-offload-gb": 12})
    assert found.verdict is Verdict.FITS
    assert found.ranks[0].weights_gib == pytest.approx(ask(name=QWEN14).ranks[0].weights_gib - 12)
    # Embedding and output layer stay, however much may go.
    ends = 2 * 152_064 * 5120 * 2 / 2**30
    assert ask(name=QWEN14, options={"cpu-offload-gb": 500}).ranks[0].weights_gib == pytest.approx(
        ends, abs=0.1
    )


@pytest.mark.parametrize(
    "options",
    [
        {"hf-overrides": {"num_hidden_layers": 4}},
        {"hf-overrides": '{"num_hidden_layers": 4}'},
        {"hf-overrides.num_hidden_layers": 4},
    ],
)
def test_config_json_is_as_it_is_changed(options: dict[str, Any]) -> None:
    found = ask(options=options)
    assert found.bytes_per_token == 4 * 4096
    assert any("num_hidden_layers" in note for note in found.notes)


def test_the_context_is_that_of_the_changed_config_json() -> None:
    assert ask(options={"hf-overrides.max_position_embeddings": 4096}, context=None).context == 4096


def test_layers_that_are_left_out_are_not_read_from_the_headers_either() -> None:
    found, known = config(LLAMA), gpu("h100")
    assert found and known and known.memory_gib
    tensors = {f"model.layers.{i}.mlp.up_proj.weight": Tensor("BF16", (14336, 4096)) for i in range(32)}
    asked = Question(
        "vllm",
        "0.33.0",
        Model(LLAMA, "headers", found.config, tensors),
        Card("nvidia", known.memory_gib, known.id),
        options={"hf-overrides": {"num_hidden_layers": 8}},
    )
    lines = ENGINES.get("vllm").memory(asked).ranks[0].lines
    assert next(line.gib for line in lines if "attention, MLPs" in line.rule) == 8 * 14336 * 4096 * 2 / 2**30


def test_a_tower_that_every_rank_has_whole_is_whole_in_the_headers_ledger_too() -> None:
    found, known = config(GEMMA), gpu("h100")
    assert found and known and known.memory_gib
    tensors = {"vision_tower.layers.0.mlp.fc1.weight": Tensor("BF16", (4304, 1152))}
    model = Model(GEMMA, "headers", found.config, tensors)
    sizes = []
    for options in ({}, {"mm-encoder-tp-mode": "data"}):
        card = Card("nvidia", known.memory_gib, known.id)
        asked = Question("vllm", "0.33.0", model, card, split=Split(2), options=options)
        lines = ENGINES.get("vllm").memory(asked).ranks[0].lines
        sizes.append(
            next(line.gib for line in lines if "vision tower" in line.rule and line.term == "weights")
        )
    assert sizes[1] == 2 * sizes[0] == 4304 * 1152 * 2 / 2**30


def test_a_part_of_config_json_that_is_one_of_its_own_keeps_what_is_not_changed() -> None:
    found = ask(name=GEMMA, on="h100", options={"hf-overrides": {"text_config": {"num_hidden_layers": 6}}})
    assert found.ranks[0].weights_gib < ask(name=GEMMA, on="h100").ranks[0].weights_gib / 2


def test_prompts_in_one_step_and_throughput_make_larger_steps_only_where_none_is_stated() -> None:
    whole, twice = {"no-enable-chunked-prefill": True}, {"performance-mode": "throughput"}
    assert ask(options=whole).batch_tokens == 8192
    assert ask(options=whole, batch_tokens=1024).batch_tokens == 1024
    assert (ask(options=twice).concurrency, ask(options=twice).batch_tokens) == (512, 4096)


def test_one_batch_at_a_time_has_fewer_tokens_in_flight() -> None:
    one, two = (
        ask(name=GEMMA, on="h100", context=65536, options=options)
        for options in ({"no-async-scheduling": True}, {})
    )
    assert (one.requests_at_context or 0) > (two.requests_at_context or 0)


def test_context_parallel_ranks_share_one_copy_of_the_cache() -> None:
    """Kimi-K2 on eight cards prints 5,721,088 tokens where it prints 715,072 without."""
    many = {"name": "deepseek-ai/DeepSeek-R1", "on": "h200", "split": Split(8)}
    one, eight = ask(**many), ask(**many, options={"decode-context-parallel-size": 8})
    assert eight.kv_tokens == 8 * (one.kv_tokens or 0)


@pytest.mark.parametrize(
    ("options", "env", "named"),
    [
        ({"offload-group-size": 4}, None, "offload-group-size"),
        ({"kv-transfer-config": {"kv_connector": "NixlConnector"}}, None, "kv-transfer-config"),
        ({"compilation-config": {"splitting_ops": []}}, None, "compilation-config.splitting_ops"),
        ({"attention-config.hisparse_config": {}}, None, "attention-config.hisparse_config"),
        ({"model-impl": "transformers"}, None, "model-impl"),
        (None, {"VLLM_USE_V2_MODEL_RUNNER": "0"}, "VLLM_USE_V2_MODEL_RUNNER"),
        (None, {"VLLM_FLASHINFER_WORKSPACE_BUFFER_SIZE": "1"}, "VLLM_FLASHINFER_WORKSPACE_BUFFER_SIZE"),
    ],
)
def test_what_no_equation_knows_makes_the_ledger_unknown_and_is_named(
    options: Any, env: Any, named: str
) -> None:
    found = ask(options=options, env=env)
    assert found.verdict is Verdict.UNKNOWN
    assert (found.reason or "").startswith(f"option: `{named}` ")


def test_a_flag_of_one_kind_of_model_stops_no_other() -> None:
    offloading = {"kv-offloading-size": 16}
    assert ask(options=offloading).verdict is Verdict.FITS
    assert ask(name=GEMMA, on="h100", options=offloading).verdict is Verdict.UNKNOWN
    assert ask(name=HYBRID, on="h200", options={"attention-backend": "FLASHINFER"}).verdict is Verdict.UNKNOWN
    assert ask(options={"attention-backend": "FLASHINFER"}) == ask()
    assert ask(options={"disable-custom-all-reduce": True}) == ask()
    two = ask(on="h100", split=Split(2), options={"disable-custom-all-reduce": True})
    assert two.verdict is Verdict.UNKNOWN


def test_nothing_is_offloaded_on_a_cpu() -> None:
    found = config(LLAMA)
    assert found
    asked = Question(
        "vllm", "0.33.0", Model(LLAMA, "", found.config), Card("cpu", 64.0), kv_bytes=8 << 30, context=8192
    )
    plain = ENGINES.get("vllm").memory(asked)
    moved = ENGINES.get("vllm").memory(Question(**{**_fields(asked), "options": {"cpu-offload-gb": 8}}))
    assert plain == moved


def _fields(asked: Question) -> dict[str, Any]:
    return {name: getattr(asked, name) for name in asked.__struct_fields__}


# SGLang


def test_sglangs_pool_has_no_more_tokens_than_are_asked_for() -> None:
    found = ask("sglang", {"max-total-tokens": "10k", "page-size": 64}, on="h100")
    assert found.kv_tokens == 10_000 // 64 * 64
    assert found.verdict is Verdict.FITS
    (short,) = (
        note for note in ask("sglang", {"max-total-tokens": 4096}).notes if "max-total-tokens" in note
    )
    assert "4096 tokens" in short


def test_sglangs_pool_of_less_than_a_request_does_not_fit_it() -> None:
    short = ask("sglang", {"max-total-tokens": 8191}, on="h100")
    assert (short.verdict, short.limit) == (Verdict.NO, "max-total-tokens")
    whole = ask("sglang", {"max-total-tokens": 8192}, on="h100")
    assert (whole.verdict, whole.limit, whole.requests_at_context) == (Verdict.FITS, None, 1)


def test_a_context_that_is_left_open_is_no_longer_than_sglangs_pool() -> None:
    found = ask("sglang", {"max-total-tokens": 4100, "page-size": 64}, on="h100", context=None)
    assert (found.verdict, found.context) == (Verdict.FITS, 4096)


def test_a_page_of_which_a_step_is_no_multiple_is_none() -> None:
    plain = ask("sglang", on="h100")
    assert ask("sglang", {"page-size": 7}, on="h100") == ask("sglang", {"page-size": 10**9}, on="h100")
    assert ask("sglang", {"page-size": 7}, on="h100").kv_tokens == plain.kv_tokens


def test_a_request_takes_whole_pages_of_sglangs() -> None:
    page = ask("sglang", {"page-size": 8192}, on="h100", context=8193)
    token = ask("sglang", on="h100", context=8193)
    assert (token.margin_gib or 0) - (page.margin_gib or 0) == pytest.approx(
        8191 * (token.bytes_per_token or 0) / GIB
    )


@pytest.mark.parametrize("fraction", [1.0, 0.99])
def test_a_card_that_sglang_takes_whole_has_too_little_beside_its_share(fraction: float) -> None:
    found = ask("sglang", on="h100", card_fraction=fraction)
    assert found.verdict is Verdict.TIGHT and (found.reason or "").startswith("outside: ")
    assert ask("sglang", on="h100", card_fraction=0.95).verdict is Verdict.FITS


@pytest.mark.parametrize("stated", [{"batch_tokens": 10**6}, {"card_fraction": 0.01}])
def test_no_share_of_sglangs_is_less_than_nothing(stated: dict[str, Any]) -> None:
    found = ask("sglang", on="h100", **stated)
    assert (found.verdict, found.fraction) == (Verdict.NO, 0.0)
    assert (found.reason or "").startswith("reserve: ")


@pytest.mark.parametrize("value", ["inf", "nan", "5Q", -1, [], {}, "x", 0.5, 1])
def test_what_is_no_number_of_blocks_changes_nothing(value: Any) -> None:
    assert ask(options={"num-gpu-blocks-override": value}) == ask(options={"async-scheduling": None})


def test_no_more_is_offloaded_than_there_is() -> None:
    assert ask(options={"cpu-offload-gb": 1e30}).ranks == ask(options={"cpu-offload-gb": 10**6}).ranks


@pytest.mark.parametrize("engine", ["vllm", "sglang"])
def test_a_draft_of_hundreds_of_tokens_is_not_modelled(engine: str) -> None:
    few, many = (ask(engine, drafter=Drafter("ngram", tokens), on="h100") for tokens in (4, 5000))
    assert (few.verdict, many.verdict) == (Verdict.FITS, Verdict.UNKNOWN)


def test_sglang_without_graphs_reserves_none() -> None:
    plain, eager = ask("sglang"), ask("sglang", {"disable-decode-cuda-graph": True})
    assert eager.ranks[0].cuda_graphs_gib == 0 < plain.ranks[0].cuda_graphs_gib
    assert (eager.fraction or 0) > (plain.fraction or 0)
    few = ask("sglang", {"cuda-graph-bs-decode": [1, 2, 16]})
    assert (plain.fraction or 0) < (few.fraction or 0) < (eager.fraction or 0)


def test_sglangs_windows_keep_the_tokens_that_are_asked_for() -> None:
    many = {"name": "XiaomiMiMo/MiMo-V2-Flash", "on": "h200", "split": Split(8)}
    full, windowed = 9 * 320 * 2, 39 * 320 * 2
    assert ask("sglang", {"swa-full-tokens-ratio": 0.25}, **many).bytes_per_token == full + windowed // 4
    assert ask("sglang", {"disable-hybrid-swa-memory": True}, **many).bytes_per_token == full + windowed


def test_sglang_reads_config_json_as_it_is_changed() -> None:
    found = ask("sglang", {"json-model-override-args": '{"num_hidden_layers": 4}'})
    assert found.bytes_per_token == 4 * 4096


@pytest.mark.parametrize(
    "options", [{"cpu-offload-gb": 4}, {"enable-dp-attention": True}, {"enable-unified-memory": True}]
)
def test_what_sglangs_equation_does_not_know_is_named(options: dict[str, Any]) -> None:
    found = ask("sglang", options)
    assert found.verdict is Verdict.UNKNOWN
    assert (found.reason or "").startswith(f"option: `{next(iter(options))}` ")


def test_a_cache_of_the_host_changes_nothing_on_sglang() -> None:
    assert ask("sglang", {"enable-hierarchical-cache": True, "hicache-size": 100}) == ask("sglang")


# TGI


@pytest.mark.parametrize(
    ("options", "env"),
    [
        ({"prefill-chunking": 0}, None),
        ({"PREFILL_CHUNKING": "false"}, None),
        (None, {"PREFILL_CHUNKING": "0"}),
        (None, {"ATTENTION": "paged"}),
    ],
)
def test_tgi_warms_up_with_a_whole_prompt_where_it_reads_none_in_chunks(options: Any, env: Any) -> None:
    assert ask("tgi", context=16384).batch_tokens == 4096
    assert ask("tgi", options, env, context=16384).batch_tokens == 16384


def test_tgis_blocks_are_those_of_its_attention() -> None:
    assert (ask("tgi", env={"ATTENTION": "flashdecoding"}).kv_tokens or 0) % 256 == 0
    assert ask("tgi", env={"ATTENTION": "flashinfer"}) == ask("tgi")


def test_tgi_takes_the_share_that_is_asked_for() -> None:
    more = kv(ask("tgi", env={"TGI_WIGGLE_ROOM": "0.95"})) - kv(ask("tgi"))
    assert more == pytest.approx(0.05 * (gpu("rtx-4090").memory_gib or 0))  # type: ignore[union-attr]
    assert ask("tgi", env={"TGI_WIGGLE_ROOM": "2"}) == ask("tgi")


def test_logits_of_whole_prompts_are_not_known_on_tgi() -> None:
    found = ask("tgi", env={"ENABLE_PREFILL_LOGPROBS": "true"})
    assert found.verdict is Verdict.UNKNOWN and "ENABLE_PREFILL_LOGPROBS" in (found.reason or "")


ODD = (-1, -1.0, 0, 0.0, 10**299, 1e308, float("inf"), float("nan"), "x", [], ["x"], {}, {"x": "x"}, None)


@pytest.mark.parametrize(
    ("engine", "name"),
    [(engine, row.name) for engine in WITH_TABLES for row in rows(engine) if row.effect == "modelled"],
)
def test_no_value_of_what_is_modelled_ends_in_a_traceback(engine: str, name: str) -> None:
    flag, _, field = name.partition(".")
    for value in ODD:
        given = {flag: {field: value} if field else value}
        for stated in ({}, {"name": HYBRID, "on": "h200"}) if engine != "tgi" else ({},):
            ask(engine, *((None, given) if name.isupper() else (given, None)), **stated)


# Every modelled row


SAMPLES: dict[str, dict[str, tuple[Any, dict[str, Any]]]] = {
    "vllm": {
        "enforce-eager": (True, {}),
        "cudagraph-capture-sizes": ([1, 2], {}),
        "max-cudagraph-capture-size": (16, {}),
        "compilation-config.cudagraph_mode": ("NONE", {}),
        "compilation-config.cudagraph_capture_sizes": ([1, 2], {}),
        "compilation-config.max_cudagraph_capture_size": (16, {}),
        "optimization-level": (1, {}),
        "performance-mode": ("interactivity", {}),
        "VLLM_MEMORY_PROFILER_ESTIMATE_CUDAGRAPHS": ("0", {}),
        "num-gpu-blocks-override": (1000, {}),
        "block-size": (128, {}),
        "disable-hybrid-kv-cache-manager": (True, {"name": GEMMA, "on": "h100"}),
        "decode-context-parallel-size": (
            8,
            {"name": "deepseek-ai/DeepSeek-R1", "on": "h200", "split": Split(8)},
        ),
        "mamba-ssm-cache-dtype": ("float16", {"name": HYBRID, "on": "h200"}),
        "hf-overrides": ({"num_hidden_layers": 4}, {}),
        "cpu-offload-gb": (4, {}),
        "enable-chunked-prefill": (False, {}),
        "async-scheduling": (False, {"name": GEMMA, "on": "h100", "context": 65536}),
        "moe-backend": ("triton", {"name": "openai/gpt-oss-20b", "on": "rtx-4090"}),
        "kernel-config.moe_backend": ("triton", {"name": "openai/gpt-oss-20b", "on": "rtx-4090"}),
        "max-loras": (8, {"adapters": Adapters(2, 16)}),
        "language-model-only": (True, {"name": GEMMA, "on": "h100"}),
        "mm-encoder-tp-mode": ("data", {"name": GEMMA, "on": "h100", "split": Split(2)}),
        "skip-mm-profiling": (True, {"name": GEMMA, "on": "h100"}),
    },
    "sglang": {
        "disable-cuda-graph": (True, {}),
        "disable-decode-cuda-graph": (True, {}),
        "disable-prefill-cuda-graph": (
            True,
            {"name": "deepseek-ai/DeepSeek-R1", "on": "h200", "split": Split(8)},
        ),
        "disable-piecewise-cuda-graph": (
            True,
            {"name": "deepseek-ai/DeepSeek-R1", "on": "h200", "split": Split(8)},
        ),
        "cuda-graph-max-bs": (16, {"version": "0.5.19"}),
        "cuda-graph-max-bs-decode": (16, {}),
        "cuda-graph-bs": ([1, 2], {"version": "0.5.19"}),
        "cuda-graph-bs-decode": ([1, 2], {}),
        "max-total-tokens": (1000, {}),
        "page-size": (64, {}),
        "swa-full-tokens-ratio": (0.5, {"name": "XiaomiMiMo/MiMo-V2-Flash", "on": "h200", "split": Split(8)}),
        "disable-hybrid-swa-memory": (
            True,
            {"name": "XiaomiMiMo/MiMo-V2-Flash", "on": "h200", "split": Split(8)},
        ),
        "mamba-full-memory-ratio": (0.5, {"name": HYBRID, "on": "h200"}),
        "mamba-ssm-dtype": ("bfloat16", {"name": HYBRID, "on": "h200"}),
        "json-model-override-args": ({"num_hidden_layers": 4}, {}),
        "mm-enable-dp-encoder": (True, {"name": GEMMA, "on": "h100", "split": Split(2)}),
    },
    "tgi": {
        "PREFILL_CHUNKING": ("0", {}),
        "ATTENTION": ("paged", {}),
        "TGI_WIGGLE_ROOM": ("0.5", {}),
    },
}


@pytest.mark.parametrize("engine", WITH_TABLES)
def test_every_flag_that_is_said_to_be_modelled_has_a_sample(engine: str) -> None:
    assert {row.name for row in rows(engine) if row.effect == "modelled"} == set(SAMPLES[engine])


@pytest.mark.parametrize(
    ("engine", "name"), [(engine, name) for engine, samples in SAMPLES.items() for name in samples]
)
def test_every_flag_that_is_said_to_be_modelled_moves_the_ledger(engine: str, name: str) -> None:
    value, stated = SAMPLES[engine][name]
    given = {"env": {name: value}} if name.isupper() else {"options": {name: value}}
    plain, found = ask(engine, **stated), ask(engine, **given, **stated)
    assert found.verdict is not Verdict.UNKNOWN, found.reason
    assert found != plain


# A whole llm.yaml


def compiled(**model: Any) -> Any:
    spec = {
        "version": 1,
        "name": "demo",
        "gpus": {"gpu": {"type": "h100-sxm-80gb", "count": 1}},
        "models": {"chat": {"source": "Qwen/Qwen3-4B", **model}},
        "routes": [{"path": "/chat", "model": "chat"}],
        "targets": {"docker": {}},
    }
    return compile(yaml.safe_dump(spec), ["docker"], emit=False)


YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
"""Qwen3's own way to 131,072 tokens."""


def test_a_context_that_engine_args_make_room_for_is_no_error() -> None:
    changes = {"rope_parameters": YARN, "max_position_embeddings": 131072}
    assert [d.code for d in compiled(context=131072).diagnostics if d.code == "LD305"]
    found = compiled(context=131072, engine_args={"hf-overrides": changes})
    assert found.ok and not [d.code for d in found.diagnostics if d.code == "LD305"]
    assert found.plan.services[0].memory.context == 131072


def test_a_yarn_alone_makes_no_room_since_vllm_0_30() -> None:
    """vLLM 0.32, 0.33 and SGLang 0.5.23 refuse it: "greater than the derived max_model_len" (put to all three)."""
    stated = {"context": 131072, "engine_args": {"hf-overrides": {"rope_parameters": YARN}}}
    (found,) = (each for each in compiled(**stated).diagnostics if each.code == "LD305")
    assert "`max_position_embeddings: 131072`" in str(found.help)
    for allowed in (
        {"engine": "vllm", "engine_version": "0.29.0"},
        {"env": {"VLLM_ALLOW_LONG_MAX_MODEL_LEN": 1}},
    ):
        assert "LD305" not in [each.code for each in compiled(**stated, **allowed).diagnostics]


def test_a_plan_takes_in_engine_args_and_env() -> None:
    plain, eager, unknown = (
        compiled(**stated).plan.services[0].memory
        for stated in (
            {},
            {"engine_args": {"enforce-eager": True}},
            {"env": {"VLLM_USE_V2_MODEL_RUNNER": 1}},
        )
    )
    assert eager.kv_tokens > plain.kv_tokens
    assert unknown.verdict is Verdict.UNKNOWN and "VLLM_USE_V2_MODEL_RUNNER" in unknown.reason

"""vLLM: its table, and what takes JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from msgspec.structs import replace

from llmdeploy.catalog.versions import order
from llmdeploy.diagnostics import Diagnostic, Note
from llmdeploy.engines.base import Adapter, Lowered, Settings, Speculation, argument
from llmdeploy.engines.flags import Speller, Words
from llmdeploy.engines.lowering import TableEngine
from llmdeploy.plan.model import Why

# vllm/config/lora.py, MaxLoRARanks: other ranks are refused.
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
_METHODS = {"draft": "draft_model"}
# Dropped in 0.33 (vllm/config/speculative.py, SpeculativeMethod).
_MEDUSA_UNTIL = "0.33"
# vllm/config/vllm.py, num_lookahead_tokens: drafts of these have no keys and values.
_NO_SLOTS = ("ngram", "medusa")
_NO_CHUNKS = (
    ("enable-chunked-prefill", False),
    ("no-enable-chunked-prefill", True),
    ("disable-chunked-prefill", True),
)


def _adapters(adapters: tuple[Adapter, ...], settings: Settings, words: Words) -> None:
    """Load every adapter, and let requests to all of them run in one batch: vLLM's own default is one."""
    largest = max(adapters, key=lambda adapter: adapter.rank)
    rank = next((rank for rank in _RANKS if rank >= largest.rank), None)
    if rank is None:
        message = f"vLLM takes LoRA adapters up to rank {_RANKS[-1]}, and `{largest.name}` has {largest.rank}"
        path = (*settings.origin, "adapters", largest.name, "rank")
        words.diagnostics.append(Diagnostic("LD309", message, path, "train it with a smaller rank"))
        return
    paths = (f"{adapter.name}={adapter.path}" for adapter in adapters)
    words.args += ["--enable-lora", "--lora-modules", *paths, "--max-lora-rank", str(rank)]
    if rank != largest.rank:
        words.why.append(Why("max-lora-rank", str(rank), f"the next that vLLM has to rank {largest.rank}"))
    if len(adapters) > 1 and not settings.gives("max-loras"):
        words.args += ["--max-loras", str(len(adapters))]
        words.why.append(
            Why("max-loras", str(len(adapters)), "one slot each, or batches would wait for each other")
        )


def _speculative(wanted: Speculation, settings: Settings, words: Words) -> None:
    if wanted.method == "medusa" and order(settings.version) >= order(_MEDUSA_UNTIL):
        message = f"vLLM dropped `method: medusa` in {_MEDUSA_UNTIL}"
        help = "take an EAGLE3 head of the model, or `engine_version` 0.32.0"
        words.diagnostics.append(Diagnostic("LD309", message, settings.origin_of("speculative"), help))
        return
    config: dict[str, Any] = {"method": _METHODS.get(wanted.method, wanted.method)}
    if wanted.model is not None:
        config["model"] = wanted.model
    config["num_speculative_tokens"] = wanted.tokens
    words.args += ["--speculative-config", json.dumps(config, separators=(",", ":"))]


def _clashes(settings: Settings) -> Iterator[Diagnostic]:
    """Find settings that it refuses together."""
    yield from _step(settings)
    yield from _whole_prompts(settings)
    yield from _cache(settings)
    yield from _copies(settings)
    yield from _drafts(settings)


def _step(settings: Settings) -> Iterator[Diagnostic]:
    """A step has a token for each running request (vllm/config/scheduler.py, verify_max_model_len)."""
    step, running = settings.values.get("batch_tokens"), settings.values.get("concurrency")
    if step is not None and running is not None and step < running:
        yield Diagnostic(
            "LD309",
            f"vLLM gives each of {running} running requests a token of every step, and a step has {step}",
            settings.origin_of("batch_tokens"),
            f"set `batch_tokens` to {running} or more, or a smaller `concurrency`",
            (Note("`concurrency` is set here", settings.origin_of("concurrency")),),
        )


def _whole_prompts(settings: Settings) -> Iterator[Diagnostic]:
    """A prompt that is not read in chunks must fit one step (vllm/config/scheduler.py, verify_max_model_len)."""
    step, context = settings.values.get("batch_tokens"), settings.values.get("context")
    if step is None or context is None or step >= context:
        return
    for key, value in settings.engine_args.items():
        if (argument(key), value) in _NO_CHUNKS:
            yield Diagnostic(
                "LD309",
                f"without chunked prefill vLLM reads a prompt in one step: `batch_tokens: {step}` cannot hold `context: {context}`",
                settings.origin_of("batch_tokens"),
                f"set `batch_tokens` to {context} or more, or leave `{key}` out",
                (Note("chunked prefill is turned off here", (*settings.origin, "engine_args", key)),),
            )


def _cache(settings: Settings) -> Iterator[Diagnostic]:
    """Keys and values are stored as they are, bit by bit, where the cache is not fp8.

    csrc/quantization/w8a8/fp8/nvidia/quant_utils.cuh (DISPATCH_BY_KV_CACHE_DTYPE, kAuto) copies them, and
    FlashAttention's flash_api.cpp then finds a query and a key of two types; vllm/config/cache.py checks neither.
    """
    cache, dtype = settings.values.get("kv_dtype"), settings.values.get("dtype")
    if cache == "bfloat16" and dtype not in (None, "bfloat16"):
        yield Diagnostic(
            "LD309",
            f"vLLM stores keys and values in the type that the model runs in: a cache of {cache} holds no {dtype}",
            settings.origin_of("kv_dtype"),
            f"leave `kv_cache.dtype` out, and the cache is {dtype}; or write `dtype: bfloat16`",
            (Note("`dtype` is set here", settings.origin_of("dtype")),),
        )


def _copies(settings: Settings) -> Iterator[Diagnostic]:
    """The cache is spread over ranks that tensors are split over (vllm/config/parallel.py, ParallelConfig)."""
    tensor = settings.values.get("tensor", 1)
    for key, value in settings.engine_args.items():
        if (
            argument(key) == "decode-context-parallel-size"
            and str(value).isdecimal()
            and int(value)
            and tensor % int(value)
        ):
            message = (
                f"vLLM splits tensors over {tensor} GPU{'s' * (tensor != 1)}, of which {value} are no divisor"
            )
            help = "leave it out" if tensor == 1 else f"write a divisor of {tensor}, or leave it out"
            yield Diagnostic("LD309", message, (*settings.origin, "engine_args", key), help)


def _drafts(settings: Settings) -> Iterator[Diagnostic]:
    """A step has room for a draft, and for one token more (vllm/config/vllm.py, _set_max_num_scheduled_tokens)."""
    wanted, step = settings.values.get("speculative"), settings.values.get("batch_tokens")
    if wanted is None or step is None or wanted.method in _NO_SLOTS or step > wanted.tokens:
        return
    yield Diagnostic(
        "LD309",
        f"vLLM holds a draft in one step: `tokens: {wanted.tokens}` are not less than the {step} of a step",
        (*settings.origin_of("speculative"), "tokens"),
        "write the few tokens that a drafter gets right, like `tokens: 4`",
    )


class Vllm(TableEngine, frozen=True):
    own: ClassVar[Mapping[str, Speller]] = {"adapters": _adapters, "speculative": _speculative}

    def lower(self, settings: Settings) -> Lowered:
        lowered = super().lower(settings)
        return replace(lowered, diagnostics=(*lowered.diagnostics, *_clashes(settings)))


ENGINE = Vllm.of(__name__)

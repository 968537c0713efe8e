"""Which settings of an engine move its memory, by their names on a command line and in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from llmdeploy.plan.defaults import Setting as Sized

POOL = ("kv", "KV tokens", "requests at full length")
ALL = ("weights", "activation", "nontorch", "cuda_graphs", *POOL)


class Setting(Struct, frozen=True):
    """What moves the memory: its flags on the plan's command line, its names in the log, the terms that it `spoils`
    where it differs, what is printed of it besides, and the default that is not printed: None where it depends on GPU,
    release or model.

    `optional`: what the plan states of it is never the default, so that a log that lists its arguments and leaves it
    out is of another setting. A `switch` has no value on a command line.
    """

    flags: tuple[str, ...]
    names: tuple[str, ...]
    spoils: tuple[str, ...]
    printed: str = ""
    default: str | None = None
    optional: bool = False
    switch: bool = False


SETTINGS = (
    Setting(
        ("max-model-len", "context-length"),
        ("max_model_len", "max_seq_len", "context_length"),
        ("KV tokens", "requests at full length"),
        printed="context",
    ),
    Setting(
        ("gpu-memory-utilization", "mem-fraction-static"),
        ("gpu_memory_utilization", "mem_fraction_static"),
        POOL,
        printed="fraction",
    ),
    Setting(("kv-cache-memory-bytes",), ("kv_cache_memory_bytes",), POOL, optional=True),
    Setting(("tensor-parallel-size", "tp-size"), ("tensor_parallel_size", "tp_size"), ALL, default="1"),
    Setting(("pipeline-parallel-size", "pp-size"), ("pipeline_parallel_size", "pp_size"), ALL, default="1"),
    Setting(
        ("max-num-seqs", "max-running-requests"),
        ("max_num_seqs", "max_running_requests"),
        ("activation", "cuda_graphs", *POOL),
    ),
    Setting(
        ("max-num-batched-tokens", "chunked-prefill-size"),
        ("max_num_batched_tokens", "chunked_prefill_size"),
        ("activation", *POOL),
        printed="batch",
    ),
    Setting(
        ("kv-cache-dtype",), ("kv_cache_dtype",), ("KV tokens", "requests at full length"), default="auto"
    ),
    Setting(("quantization",), ("quantization",), ("weights", *POOL), optional=True),
    # Without graphs vLLM compiles nothing either, and each kernel has what it works on for itself.
    Setting(
        ("enforce-eager", "disable-cuda-graph", "disable-decode-cuda-graph"),
        ("enforce_eager", "disable_cuda_graph", "disable_decode_cuda_graph"),
        ("activation", "cuda_graphs", *POOL),
        default="False",
        switch=True,
    ),
    # vLLM states it inside of JSON.
    Setting(("speculative-algorithm",), ("speculative_algorithm",), ALL, default="none", optional=True),
)

SIZED: dict[str, Sized] = {
    "max-model-len": "context",
    "max-num-seqs": "concurrency",
    "max-num-batched-tokens": "batch_tokens",
}
"""The first of a setting's flags -> what llm.yaml and a ledger call it."""

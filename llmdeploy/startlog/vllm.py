"""vLLM's sentences, from V0 to 0.33."""

from __future__ import annotations

from llmdeploy.startlog.model import OUT_OF_MEMORY, Dialect, Pattern, Sign

_V0 = "vllm/worker/worker.py, determine_num_available_blocks"
_WORKER = "vllm/v1/worker/gpu_worker.py"
_RUNNER = "vllm/v1/worker/gpu_model_runner.py"
_CACHE = "vllm/v1/core/kv_cache_utils.py"
_CPU = "vllm/v1/worker/cpu_worker.py, determine_available_memory"
_CORE = "vllm/v1/engine/core.py, _initialize_kv_caches"
_MEMORY = "vllm/utils/mem_utils.py, MemoryProfilingResult"

_PATTERNS = (
    # weights
    Pattern("oading model weights took <weights:size>", "vllm/worker/model_runner.py", until="0.8"),
    Pattern("odel loading took <weights:size>", f"{_RUNNER}, load_model", since="0.8"),
    Pattern("odel loading took …and <load_s:number> second", f"{_RUNNER}, load_model", since="0.8"),
    Pattern("Loading weights took <read_s:number> second", "vllm/model_executor/model_loader", since="0.8"),
    # the profile of V0
    Pattern("total_gpu_memory=<total:size>", _V0, since="0.6", until="0.7"),
    Pattern("initial_memory_usage=<initial:size>", _V0, since="0.6", until="0.7"),
    Pattern(
        "peak_torch_memory=<peak:size>…non_torch_memory=<nontorch:size>", _V0, since="0.6", until="0.7"
    ),
    Pattern("kv_cache_size=<kv:size>", _V0, since="0.6", until="0.7"),
    Pattern("total_gpu_memory (<total:size>)", _V0, since="0.7", until="0.10"),
    Pattern("model weights take <weights:size>", _V0, since="0.7", until="0.10"),
    Pattern("non_torch_memory takes <nontorch:size>", _V0, since="0.7", until="0.10"),
    Pattern("PyTorch activation peak memory takes <activation:size>", _V0, since="0.7", until="0.10"),
    Pattern("reserved for KV Cache is <kv:size>", _V0, since="0.7", until="0.10"),
    Pattern("GPU blocks: <blocks:int>", "vllm/executor", until="0.7", fold="min"),
    Pattern("# cuda blocks: <blocks:int>", "vllm/executor", since="0.7", until="0.10", fold="min"),
    Pattern("# rocm blocks: <blocks:int>", "vllm/executor", since="0.7", until="0.10", fold="min"),
    # the profile of V1
    Pattern("Memory profiling takes <profile_s:number> seconds", _MEMORY),
    Pattern("torch peak memory increase: <activation:size>", _MEMORY, since="0.9"),
    Pattern("non-torch forward increase memory: <nontorch:size>", _MEMORY, since="0.9", until="0.25"),
    Pattern("total consumed (from mem_get_info): <consumed:size>", _MEMORY, since="0.25"),
    Pattern("Free memory on device …(<free:gib>/<total:gib> GiB) on startup", f"{_WORKER}; utils.py"),
    Pattern(
        "esired GPU memory utilization …(<fraction:number>, <requested:gib> GiB)", f"{_WORKER}; utils.py"
    ),
    Pattern("Actual usage is <weights:gib> GiB for weight", _WORKER, since="0.10", until="0.25"),
    Pattern("Actual usage is <consumed:gib> GiB for consumed memory", _WORKER, since="0.25"),
    Pattern("<peak_activation:gib> GiB for peak activation", _WORKER, since="0.10"),
    Pattern("<nontorch:gib> GiB for non-torch memory", _WORKER, since="0.10", until="0.25"),
    Pattern("<graphs:gib> GiB for CUDAGraph memory", _WORKER, since="0.10"),
    Pattern("total capacity of <total:size>", "torch, OutOfMemoryError"),
    Pattern("urrent kv cache memory in use is <kv:gib> GiB", _WORKER, since="0.10"),
    # what it runs with
    Pattern(
        "hunked prefill is enabled with max_num_batched_tokens=<batch:int>", "vllm/config/scheduler.py", since="0.7"
    ),
    Pattern(
        "sing FlashAttention version <flash:int>", "vllm/v1/attention/backends/flash_attn.py", since="0.11"
    ),
    # CUDA graphs
    Pattern("raph capturing finished …took <graphs:size>", f"{_RUNNER}, capture_model"),
    Pattern("raph capturing finished in <graphs_s:number> secs", f"{_RUNNER}, capture_model"),
    Pattern(
        "Estimated CUDA graph memory: <graphs_estimated:size> total",
        f"{_RUNNER}, profile_cudagraph_memory",
        since="0.19",
    ),
    Pattern(
        "CUDA graph pool memory: <graphs:size> (actual), <graphs_estimated:size> (estimated)",
        f"{_WORKER}, compile_or_warm_up_model",
        since="0.19",
    ),
    Pattern(
        "equivalent to --gpu-memory-utilization=<without_graphs:number> without CUDA graph",
        f"{_WORKER}, determine_available_memory: the estimate was taken off the KV cache",
        since="0.21",
    ),
    # KV cache
    Pattern("vailable KV cache memory: <kv:size>", _WORKER, since="0.9"),
    Pattern("larger than the available KV cache memory (<kv:size>)", _CACHE, since="0.8"),
    Pattern("reserved <kv:gib> GiB memory for KV Cache", _WORKER, since="0.10"),
    Pattern("Explicitly set (<kv:gib>/<total:gib>) GiB for KV cache", _CPU, since="0.30"),
    Pattern("Auto set (<kv:gib>/<total:gib>) GiB for KV cache", _CPU, since="0.30"),
    Pattern("KV cache size: <kv_tokens:int> tokens", _CACHE, since="0.8", fold="min"),
    Pattern(
        "tokens that can be stored in KV cache (<kv_tokens:int>)", "vllm/worker/worker.py", until="0.10"
    ),
    Pattern("<context:int> tokens per request: <concurrency:number>x", f"{_CACHE}; vllm/executor", fold="min"),
    Pattern("max seq len (<context:int>)", f"{_CACHE}; vllm/worker/worker.py"),
    # time
    Pattern("init engine (profile, create kv cache, warmup model) took <init_s:number> s", _CORE, since="0.7"),
    Pattern("(compilation: <compile_s:number> s", _CORE, since="0.19"),
    Pattern("torch.compile takes <compile_s:number> s in total", "vllm/compilation", since="0.7", until="0.19"),
)  # fmt: skip

DIALECT = Dialect(
    engine="vllm",
    patterns=_PATTERNS,
    starts=(
        Sign(
            r"vLLM (?:API )?server version (?P<version>[\w.+-]+?)(?:,|\s|$)",
            "vllm/entrypoints",
            ("server version ",),
        ),
        # The logo: its second line.
        Sign(
            r"█  version (?P<version>\d+\.\d[\w.+-]*)",
            "vllm/entrypoints, log_version_and_model",
            ("█  version ",),
        ),
    ),
    settings=(
        Sign(
            r"non-default args: \{(?P<asked>.*)",
            "vllm/entrypoints, log_non_default_args",
            ("non-default args: {",),
        ),
        Sign(r"\bargs: Namespace\((?P<settings>.*)", "vllm/entrypoints, before 0.10", ("args: Namespace(",)),
        Sign(
            r"Initializing an? (?:V[01] )?LLM engine \(v(?P<version>[^)\s]+)\) with config: (?P<settings>.*)",
            "vllm/v1/engine/core.py; vllm/engine/llm_engine.py",
            ("LLM engine (v",),
        ),
    ),
    ready=("Application startup complete",),
    failures={
        "memory is not free": Sign(
            r"Free memory on device .*(?:is|are) less than",
            "vllm/v1/worker/utils.py",
            ("Free memory on device",),
        ),
        "no room for KV": Sign(
            r"No available memory for the cache blocks", _CACHE, ("No available memory for the cache blocks",)
        ),
        "KV too small": Sign(
            r"KV cache is needed, which is larger than the available|"
            r"larger than the maximum number of tokens that can be stored in KV cache",
            f"{_CACHE}; vllm/worker/worker.py",
            ("larger than the ",),
        ),
        "out of memory": OUT_OF_MEMORY,
        "did not start": Sign(
            r"EngineCore failed to start|Engine core initialization failed|error: unrecognized arguments",
            "vllm/v1/engine",
            ("EngineCore failed", "Engine core init", "error: unrec"),
        ),
    },
)

"""SGLang's sentences, from 0.4 to 0.5.23. It prints GB and divides by 2^30."""

from __future__ import annotations

from llmdeploy.startlog.model import OUT_OF_MEMORY, Dialect, Pattern, Sign

_RUNNER = "srt/model_executor/model_runner.py, load_model"
_GRAPH = "srt/model_executor/model_runner_components/cuda_graph_setup.py"
_POOL = "srt/mem_cache/memory_pool.py"
_POST = "srt/model_executor/model_runner_components/kv_pool_runtime.py"
_SCHEDULER = "srt/managers/scheduler.py"

DIALECT = Dialect(
    engine="sglang",
    patterns=(
        # A drafter is loaded like the model, after it: its memory counts, what was free before it does not.
        Pattern("Load weight begin. avail mem=<free:size>", _RUNNER, fold="first"),
        Pattern("Load weight end. …avail mem=<after:size>", _RUNNER),
        Pattern("Load weight end. …mem usage=<weights:size>", _RUNNER, since="0.4.3", fold="sum"),
        Pattern("Load weight end. elapsed=<load_s:number> s", _RUNNER, since="0.5.9", fold="sum"),
        Pattern("Memory baseline taken. mem usage=<distributed:size>", "srt/distributed/bootstrap.py", fold="first"),
        Pattern("Init torch distributed ends. …mem usage=<distributed:size>", _RUNNER, until="0.5.20", fold="first"),
        # One line for each pool: full and sliding-window layers, the drafter's.
        Pattern("is allocated. …#tokens: <pool_tokens:int>", _POOL, fold="first"),
        Pattern("is allocated. …K size: <k:size>, V size: <v:size>", _POOL, fold="sum"),
        Pattern("is allocated. …KV size: <k:size>", _POOL, fold="sum"),
        Pattern("KV cache allocated. …KV size: <k:size>", _POST, since="0.5.20", fold="sum"),
        Pattern("conv_state size: <state:size>, ssm_state size: <state_ssm:size>", _POOL, fold="sum"),
        Pattern("max_total_num_tokens=<kv_tokens:int>", _SCHEDULER),
        Pattern("context_len=<context:int>", _SCHEDULER),
        Pattern("max_running_requests=<running:int>", _SCHEDULER),
        Pattern("graph end. …mem usage=<graphs:size>", _GRAPH, fold="sum"),
        Pattern("graph end. …elapsed=<graphs_s:number> s", _GRAPH, since="0.5.20", fold="sum"),
        Pattern("graph end. Time elapsed: <graphs_s:number> s", _GRAPH, until="0.5.20", fold="sum"),
        Pattern("scheduler_e2e=<init_s:number>", "srt/observability, engine startup timings", since="0.5.20"),
        Pattern("available_gpu_mem=<left:size>", _SCHEDULER, since="0.5"),
    ),
    starts=(
        Sign(
            r"server_args=(?:ServerArgs)?[({](?P<settings>.*)", "srt/entrypoints/engine.py", ("server_args=",)
        ),
    ),
    settings=(),
    ready=("The server is fired up and ready to roll!",),
    failures={
        "no room for KV": Sign(
            r"leaves? no GPU memory|Not enough memory\. Please try to increase --mem-fraction-static",
            "srt/model_executor/pool_configurator.py; srt/mem_cache/kv_cache_configurator.py",
            ("no GPU memory", "Not enough memory. "),
        ),
        "out of memory": OUT_OF_MEMORY,
        "did not start": Sign(
            r"Scheduler hit an exception|error: unrecognized arguments",
            "srt/managers",
            ("Scheduler hit", "error: unrec"),
        ),
    },
)  # fmt: skip

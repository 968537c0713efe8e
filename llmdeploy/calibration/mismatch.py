"""Whether a log is of what llm.yaml describes: if not, what they differ by means nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from llmdeploy.calibration.releases import release_of
from llmdeploy.memory.model import Ledger
from llmdeploy.plan.model import Service
from llmdeploy.startlog.model import Boot

CARD = 0.03
"""By how much two cards of one kind may differ in what the driver leaves them."""

_QUANTIZED = 0.8
"""Of the weights' size: what a checkpoint leaves unquantized is less than the rest."""

_POOL = ("kv", "KV tokens", "requests at full length")
_ALL = ("weights", "activation", "nontorch", "cuda_graphs", *_POOL)


class _Setting(Struct, frozen=True):
    """What moves the memory: its flags on the plan's command line, its names in the log, the terms that it `spoils`
    where it differs, what is printed of it besides, and the default that is not printed.

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


_SETTINGS = (
    _Setting(
        ("max-model-len", "context-length"),
        ("max_model_len", "max_seq_len", "context_length"),
        ("KV tokens", "requests at full length"),
        printed="context",
    ),
    _Setting(
        ("gpu-memory-utilization", "mem-fraction-static"),
        ("gpu_memory_utilization", "mem_fraction_static"),
        _POOL,
        printed="fraction",
    ),
    _Setting(("kv-cache-memory-bytes",), ("kv_cache_memory_bytes",), _POOL, optional=True),
    _Setting(("tensor-parallel-size", "tp-size"), ("tensor_parallel_size", "tp_size"), _ALL, default="1"),
    _Setting(("pipeline-parallel-size", "pp-size"), ("pipeline_parallel_size", "pp_size"), _ALL, default="1"),
    _Setting(
        ("max-num-seqs", "max-running-requests"),
        ("max_num_seqs", "max_running_requests"),
        ("activation", "cuda_graphs", *_POOL),
    ),
    _Setting(
        ("max-num-batched-tokens", "chunked-prefill-size"),
        ("max_num_batched_tokens", "chunked_prefill_size"),
        ("activation", *_POOL),
    ),
    _Setting(
        ("kv-cache-dtype",), ("kv_cache_dtype",), ("KV tokens", "requests at full length"), default="auto"
    ),
    _Setting(("quantization",), ("quantization",), ("weights", *_POOL), optional=True),
    # Without graphs vLLM compiles nothing either, and each kernel has what it works on for itself.
    _Setting(
        ("enforce-eager", "disable-cuda-graph", "disable-decode-cuda-graph"),
        ("enforce_eager", "disable_cuda_graph", "disable_decode_cuda_graph"),
        ("activation", "cuda_graphs", *_POOL),
        default="False",
        switch=True,
    ),
    # vLLM states it inside of JSON.
    _Setting(("speculative-algorithm",), ("speculative_algorithm",), _ALL, default="none", optional=True),
)


_RUNS = {"openllm": "vllm"}
"""An engine whose log is another's, at a version of that other's own."""


class Mismatch(Struct, frozen=True):
    """One thing that the log says otherwise. `fatal`: it is another model or engine altogether."""

    what: str
    log: str
    plan: str
    fatal: bool = False
    spoils: tuple[str, ...] = ()
    """The terms that say nothing of the prediction where this differs."""


def mismatches(service: Service, ledger: Ledger | None, boot: Boot) -> list[Mismatch]:
    return list(_mismatches(service, ledger, boot))


def _mismatches(service: Service, ledger: Ledger | None, boot: Boot) -> Iterator[Mismatch]:
    if boot.engine != _RUNS.get(service.engine, service.engine):
        yield Mismatch("engine", boot.engine, service.engine, fatal=True)
        return
    releases = {release_of(boot.engine, version) for version in (boot.version, service.engine_version)}
    if service.engine not in _RUNS and boot.version and len(releases) > 1:
        yield Mismatch("version", boot.version, service.engine_version)
    planned = _model(service.launch.argv)
    if boot.model and planned and not _same(boot.model, planned):
        yield Mismatch("model", boot.model, planned, fatal=True)
    # vLLM lists what is not the default, SGLang everything.
    listed = bool(boot.asked if boot.engine == "vllm" else boot.settings)
    for setting in _SETTINGS:
        names = setting.names
        said = _said(setting, boot)
        flags = setting.flags
        if setting.switch:
            stated = str(_switch(service.launch.argv, flags)) if listed or said else None
            said = said or setting.default
        else:
            stated = _flag(service.launch.argv, flags) or _resolved(ledger, flags[0]) or setting.default
        if said is None:
            if listed and setting.optional and stated not in (None, setting.default):
                yield Mismatch(names[0], "its default", stated, spoils=setting.spoils)
            continue
        # Without a value to compare with, only what was asked for counts: the rest are the engine's own defaults. SGLang
        # does not say which is which; weights that its quantization made are another size than is predicted.
        asked = any(name in boot.asked for name in names) or (
            boot.engine == "sglang" and names[0] == "quantization" and _lighter(ledger, boot)
        )
        if stated is None and asked:
            yield Mismatch(names[0], said, "its default", spoils=setting.spoils)
        elif stated is not None and not _equal(said, stated):
            yield Mismatch(names[0], said, stated, spoils=setting.spoils)
    total, planned_gib = boot.largest("total"), service.gpus.memory_gib
    if service.gpus.count and total and planned_gib and abs(total - planned_gib) > CARD * planned_gib:
        yield Mismatch("memory of one GPU", f"{total:.2f} GiB", f"{planned_gib:.2f} GiB", spoils=_POOL)


def _lighter(ledger: Ledger | None, boot: Boot) -> bool:
    """Tell whether weights are so much less than predicted that they were quantized meanwhile: FP8 halves them."""
    predicted = max((rank.weights_gib for rank in ledger.ranks), default=0.0) if ledger else 0.0
    return (boot.largest("weights") or predicted) < _QUANTIZED * predicted


def _said(setting: _Setting, boot: Boot) -> str | None:
    """Return what the log has of a setting; of several switches, whether one is on."""
    found = [boot.settings[name] for name in setting.names if name in boot.settings]
    if setting.switch:
        found.sort(key=lambda each: each.lower() != "true")
    value = boot.largest(setting.printed)
    return found[0] if found else None if value is None else f"{value:g}"


def _switch(argv: Sequence[str], names: Sequence[str]) -> bool:
    """Tell whether one of these flags is given; `--flag=false` is not."""
    given = (word.partition("=") for word in argv if word.startswith("--"))
    return any(flag[2:].replace("_", "-") in names and value.lower() != "false" for flag, _, value in given)


def _resolved(ledger: Ledger | None, flag: str) -> str | None:
    """What the ledger took for a flag that the command line leaves out."""
    if ledger is None:
        return None
    value = {
        "max-model-len": ledger.context,
        "gpu-memory-utilization": ledger.fraction,
        "max-num-seqs": ledger.concurrency,
        "max-num-batched-tokens": ledger.batch_tokens,
    }.get(flag)
    return None if value is None else str(value)


def _model(argv: Sequence[str]) -> str | None:
    """`vllm serve MODEL …`, or `--model-path MODEL`."""
    named = _flag(argv, ("model-path", "model", "model-id"))
    if named:
        return named
    after = [word for word, before in zip(argv[1:], argv, strict=False) if before == "serve"]
    return after[0] if after and not after[0].startswith("-") else None


def _flag(argv: Sequence[str], names: Sequence[str]) -> str | None:
    for index, word in enumerate(argv):
        flag, equals, value = word.partition("=")
        if flag.startswith("--") and flag[2:].replace("_", "-") in names:
            return value if equals else next(iter(argv[index + 1 : index + 2]), None)
    return None


def _same(one: str, other: str) -> bool:
    """A Hub id, and a directory that ends in its name, are the same; the case of letters does not matter."""
    left, right = (text.lower().replace("\\", "/").rstrip("/").split("/")[-1] for text in (one, other))
    whole = one.lower() == other.lower()
    is_directory = any(text.startswith(("/", ".", "~")) for text in (one, other))
    return whole or (is_directory and left == right)


def _equal(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return one.lower() == other.lower()

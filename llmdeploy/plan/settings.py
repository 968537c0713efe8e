"""One model of a checked spec as `Settings`: what it states, and what is derived."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from llmdeploy.checks.context import Context
from llmdeploy.diagnostics import Path
from llmdeploy.engines.base import WEIGHTS, Adapter, Repository, Settings, Speculation
from llmdeploy.memory.model import Ledger
from llmdeploy.plan import startup
from llmdeploy.plan.hardware import Hardware
from llmdeploy.plan.model import Secret, Why
from llmdeploy.plan.parallelism import tensor_size
from llmdeploy.plan.placement import per_node, pool_of
from llmdeploy.plan.quantization import choose
from llmdeploy.plan.reasons import reasons
from llmdeploy.plan.sizing import size
from llmdeploy.spec.model import Model

MODEL_DIR = "/model"
DRAFTER_DIR = "/drafter"
ADAPTERS_DIR = "/adapters"
FILES_DIR = "/etc/llmdeploy"

CPU_FRACTION = 0.5
_CPU_KV_SHARE = 0.5


def settings_of(
    context: Context, name: str, secrets: Mapping[str, Secret]
) -> tuple[Settings, list[Why], Ledger | None]:
    """Return a model's settings, whatever its engine makes of them, why the derived ones are so, and its ledger."""
    spec, model = context.spec, context.spec.models[name]
    engine = context.engines[context.engine_of(name)]
    pool = context.pools[pool_of(spec, name) or ""]
    version = model.engine_version or engine.versions[0]
    values, origins, why = _values(context, name, pool)
    sized = size(context, name, values, pool)
    values = {setting: value for setting, value in {**values, **sized.values}.items() if value is not None}
    why += sized.why
    if model.engine is None:
        why.append(Why("engine", engine.name, "the default for a source of this kind"))
    elif name in context.choices:
        why += context.choices[name].why()
    if model.engine_version is None:
        why.append(
            Why("engine_version", engine.versions[0], "the newest version that the catalog has verified")
        )
    source = model.source
    expected = startup.startup(context, name, pool)
    why += startup.why(expected, stated=model.ready_timeout is not None, fetches=source.path is None)
    kind = "openllm" if source.openllm else "path" if source.path else "hub"
    return (
        Settings(
            name=name,
            origin=("models", name),
            version=version,
            source=kind,
            model=MODEL_DIR if source.path else context.hub_id(name) or "",
            values=values,
            origins=origins,
            vendor=pool.vendor,
            arch=pool.arch,
            gpu_count=0 if pool.is_cpu else model.gpus.count,
            image=model.image,
            engine_args=model.engine_args,
            env=model.env,
            ready_timeout_s=model.ready_timeout or expected.ready_limit_s,
            token=secrets.get(model.token or ""),
            api_key=secrets.get(spec.gateway.auth or ""),
            openllm_tag=source.openllm,
            further=tuple(_further(model)),
            startup=expected,
        ),
        why,
        sized.ledger,
    )


def _further(model: Model) -> Iterator[Repository]:
    """Yield what must be fetched beside the model: a drafter like the model itself, adapters by directory."""
    if model.speculative and model.speculative.model and model.speculative.model.hub:
        yield Repository(model.speculative.model.hub)
    for adapter in (model.adapters or {}).values():
        if adapter.source.hub:
            yield Repository(adapter.source.hub, _adapter_dir(adapter.source.hub))


def _adapter_dir(hub: str) -> str:
    """Return where an adapter of the Hub is put: an engine finds one by its directory, not all by its id."""
    return f"{WEIGHTS}/adapters/{hub}"


def _values(context: Context, name: str, pool: Hardware) -> tuple[dict[str, Any], dict[str, Path], list[Why]]:
    """Return the neutral settings that are stated or derived, where each comes from, and why."""
    model = context.spec.models[name]
    base: Path = ("models", name)
    values: dict[str, Any] = {}
    origins: dict[str, Path] = {"api_key": ("gateway", "auth")}
    why: list[Why] = []
    for field, value, default, path in _stated(model):
        origins[field] = (*base, *path)
        if value != default:
            values[field] = value
    values["served_names"] = tuple(model.served_names or (name,))
    if model.served_names is None:
        origins["served_names"] = base
        why.append(Why("served_names", name, "the key of the model"))
    tensor = tensor_size(model)
    if tensor > 1 or model.parallel.tensor is not None:
        values["tensor"] = tensor
        if model.parallel.tensor is None:
            origins["tensor"] = (*base, "gpus")
            why.append(Why("parallel.tensor", str(tensor), "gpus.count / (pipeline × data)"))
    if model.chat_template is not None:
        values["chat_template"] = f"{FILES_DIR}/chat-template.jinja"
    if model.speculative is not None:
        drafter = model.speculative.model
        place = None if drafter is None else drafter.hub or DRAFTER_DIR
        values["speculative"] = Speculation(model.speculative.method, model.speculative.tokens, place)
    if model.adapters:
        values["adapters"] = tuple(
            Adapter(
                key,
                _adapter_dir(adapter.source.hub) if adapter.source.hub else f"{ADAPTERS_DIR}/{key}",
                adapter.rank,
            )
            for key, adapter in model.adapters.items()
        )
    facts = context.model_facts(name)
    limits = context.limits_of(name)
    own = model.image is not None
    flag = choose(model.quantization, facts, limits, pool, own_image=own).flag
    if flag is not None:
        values["quantization"] = flag
    why += reasons(model, facts, limits, pool, flag)
    if model.context is None:
        longest = f" ({facts.max_context} tokens)" if facts and facts.max_context else ""
        why.append(Why("context", "unset", f"the engine takes the model's own maximum{longest}"))
    if pool.is_cpu:
        values["kv_bytes"], reason = _cpu_kv_bytes(context, model, pool)
        values.pop("memory_fraction", None)
        origins["kv_bytes"] = origins["memory_fraction"]
        why.append(reason)
    return values, origins, why


def _stated(model: Model) -> Iterator[tuple[str, Any, Any, Path]]:
    """Yield (setting, value, the value that needs no flag, path below the model)."""
    yield "revision", model.revision, None, ("revision",)
    yield "served_names", None, None, ("served_names",)
    yield "tensor", None, None, ("parallel", "tensor")
    yield "pipeline", model.parallel.pipeline, 1, ("parallel", "pipeline")
    yield "data", model.parallel.data, 1, ("parallel", "data")
    yield "expert", model.parallel.expert, False, ("parallel", "expert")
    yield "dtype", model.dtype, "auto", ("dtype",)
    yield "quantization", None, None, ("quantization",)
    yield "context", model.context, None, ("context",)
    yield "concurrency", model.concurrency, None, ("concurrency",)
    yield "batch_tokens", model.batch_tokens, None, ("batch_tokens",)
    yield "memory_fraction", model.memory_fraction, None, ("memory_fraction",)
    yield "kv_dtype", model.kv_cache.dtype, "auto", ("kv_cache", "dtype")
    yield "prefix_caching", model.prefix_caching, True, ("prefix_caching",)
    constrained = model.structured_output
    yield "structured_output", constrained.is_on, True, ("structured_output",)
    # Which one, where there is one: `none` is said above.
    backend = constrained.backend if constrained.is_on else "auto"
    yield "grammar_backend", backend, "auto", ("structured_output", "backend")
    yield "trust_remote_code", model.trust_remote_code, False, ("trust_remote_code",)
    yield "chat_template", None, None, ("chat_template",)
    yield "embed", model.task == "embed", False, ("task",)
    yield "tools", model.tools and model.tools.parser, None, ("tools", "parser")
    yield "reasoning", model.reasoning and model.reasoning.parser, None, ("reasoning", "parser")
    yield "multimodal", _items(model), {}, ("multimodal",)
    yield "adapters", None, None, ("adapters",)
    yield "speculative", None, None, ("speculative",)


def _items(model: Model) -> dict[str, int]:
    stated = model.multimodal.model_dump(exclude_none=True) if model.multimodal else {}
    return {kind: int(items) for kind, items in stated.items()}


def _cpu_kv_bytes(context: Context, model: Model, pool: Hardware) -> tuple[int, Why]:
    """Pin the KV cache: an engine's default would claim most of the node's memory, other models included."""
    models = per_node(context.spec, pool)
    fraction = model.memory_fraction or CPU_FRACTION
    memory = pool.memory_gib or 0
    # Whole MiB, so that the figure reads well.
    size = int(memory * 1024 * fraction * _CPU_KV_SHARE / models) * (1 << 20)
    shared = f", shared by {models} models" if models > 1 else ""
    return size, Why(
        "kv_cache bytes",
        str(size),
        f"half of {fraction:g} × {memory:g} GiB{shared}; the other half is left to the weights (`memory_fraction` changes it)",
    )
